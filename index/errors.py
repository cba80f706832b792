"""The whole error tree. Each error carries its data and says the thing, the value and the way out.

`code` is the stable name that outsiders see (problem type, `--json`). What a programmer got wrong is a `ValueError`
or an `assert`, never one of these.
"""

from __future__ import annotations


class CitespanError(Exception):
    """Something the user can understand and mend."""

    code = "error"


# ---- one file or upload: reported in the summary, never stops a sync ------------------------------------------


class DocumentError(CitespanError):
    """A document could not be taken in."""

    code = "document-error"

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.reason = reason
        super().__init__(f"{name}: {reason}")


class UnsupportedFormat(DocumentError):
    """No loader for this kind of file, or bytes that are not what the name says."""

    code = "unsupported-format"


class NoDocument(UnsupportedFormat):
    """Data of a format that documents come in, and no document: settings in JSON, a drawing in XML."""

    code = "no-document"


class UnreadableDocument(DocumentError):
    """The file could not be read or decoded."""

    code = "unreadable-document"


class WrongEncoding(UnreadableDocument):
    """The bytes are not text in the encoding that was expected."""

    code = "wrong-encoding"


class BrokenLink(UnreadableDocument):
    """A symbolic link that leads nowhere, or out of the folder given."""

    code = "broken-link"


class NotReplaceable(DocumentError):
    """There is another document of this name, and whoever sent this one may not touch it."""

    code = "not-replaceable"


class EmptyDocument(DocumentError):
    """The file holds nothing, or no sentence."""

    code = "empty-document"


class DocumentTooLarge(DocumentError):
    """The file is over a size limit."""

    code = "document-too-large"


class DocumentChanged(DocumentError):
    """The file changed while it was read."""

    code = "document-changed"


# ---- the library ------------------------------------------------------------------------------------------------


class LibraryError(CitespanError):
    """The library as a whole cannot do what was asked."""

    code = "library-error"


class LibraryNotFound(LibraryError):
    """There is no library in that folder."""

    code = "library-not-found"


class LibraryBusy(LibraryError):
    """Another process is writing."""

    code = "library-busy"


class LibraryUnreachable(LibraryError):
    """The database that holds the truth does not answer; it may in a moment."""

    code = "library-unreachable"


class LibraryDamaged(LibraryError):
    """The truth itself (the SQLite file, or the tables in PostgreSQL) cannot be read."""

    code = "library-damaged"


class LibraryReadOnly(LibraryError):
    """The files of the library may not be written, which SQLite needs also for reading."""

    code = "library-read-only"


class LibraryFormat(LibraryError):
    """The library was written by another version, embedder or passage setting."""

    code = "library-format"


class PathNotFound(LibraryError):
    """A path given to sync does not exist."""

    code = "path-not-found"


class UnknownDocument(LibraryError):
    """No document of that id in this generation."""

    code = "unknown-document"


class UnknownRevision(LibraryError):
    """No such revision of that document."""

    code = "unknown-revision"


class UnknownGeneration(LibraryError):
    """There is no such generation, or retention has dropped it."""

    code = "unknown-generation"


class GenerationPurged(LibraryError):
    """A document of that generation was purged since: it is not what it was any more."""

    code = "purged"


class DiskFull(LibraryError):
    """No space is left for what was to be written."""

    code = "disk-full"


class SafetyStop(LibraryError):
    """More would vanish from the library than anyone is likely to have meant."""

    code = "safety-stop"


class StoreError(LibraryError):
    """The engine in which the library's passages are searched refuses, or does not hold what it should."""

    code = "store-error"
    seconds = 10
    """After how long to try again."""


class StoreUnavailable(StoreError):
    """That engine does not answer, or too slowly."""

    code = "store-unavailable"

    def __init__(self, message: str, seconds: int) -> None:
        self.seconds = seconds
        super().__init__(message)


class Interrupted(LibraryError):
    """The user stopped a sync; the message says whether it had landed."""

    code = "interrupted"


class CheckFailed(LibraryError):
    """The labelled questions could not be asked of the new generation."""

    code = "check-failed"


# ---- models -----------------------------------------------------------------------------------------------------


class ModelError(CitespanError):
    """A model is missing, damaged or not the one that was expected."""

    code = "model-error"


class ModelUnfit(ModelError):
    """A model is what it should be, and this machine's runtime does not make of it what it should."""

    code = "model-unfit"


# ---- questions --------------------------------------------------------------------------------------------------


class QuestionError(CitespanError):
    """The question cannot be asked as it stands."""

    code = "invalid-question"


class UnknownConversation(QuestionError):
    """The conversation does not exist, has expired, or was forgotten by a restart."""

    code = "unknown-conversation"


# ---- receipts -----------------------------------------------------------------------------------------------------


class ReceiptError(CitespanError):
    """The token is no receipt, or none of a format that this version reads."""

    code = "invalid-receipt"


class CannotReplay(CitespanError):
    """The reply cannot be had again; the message says why."""

    code = "cannot-replay"


class ModelsChanged(CannotReplay):
    """The reply was made with another embedder, reader or calibration than those in use."""

    code = "models-changed"


class AnotherLibrary(CannotReplay):
    """The reply was made from another library's generation of that number."""

    code = "another-library"


class ReplayDiffers(CannotReplay):
    """Generation and models are the same, and another reply came out: the code or the machine is another one."""

    code = "replay-differs"


# ---- evaluations --------------------------------------------------------------------------------------------------


class EvaluationError(CitespanError):
    """A saved evaluation cannot be read, or a file of an evaluation cannot be written."""

    code = "evaluation-error"
