"""GET /v1/jobs and /v1/jobs/{id}."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.routes.common import Running, problems
from api.schemas_library import JobList, JobModel

router = APIRouter(prefix="/v1/jobs", tags=["documents"])


@router.get("", responses=problems(422))
def list_jobs(running: Running, limit: Annotated[int, Query(ge=1, le=1_000)] = 20) -> JobList:
    """List the uploads of the last seven days, newest first."""
    found = running.jobs.newest(limit + 1)
    return JobList(
        data=[JobModel.of(job, running.jobs.progress(job)) for job in found[:limit]], has_more=len(found) > limit
    )


@router.get("/{job_id}", responses=problems(404))
def get_job(job_id: str, running: Running) -> JobModel:
    """Return how an upload is doing, or what became of it."""
    job = running.jobs.job(job_id)
    return JobModel.of(job, running.jobs.progress(job))
