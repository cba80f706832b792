#!/bin/sh
# Makes the files of this folder from harbour.md, slides.md and berths.fods, which were written for these tests.
# Made with the packages pandoc 2.17, libreoffice-{writer,impress,calc}-nogui 7.4, hyphen-en-us, fonts-liberation and
# chromium 156 of Debian 12, as root: --no-sandbox is for that.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

office() { # office FILE FORMAT OUTPUT: converts with a profile of its own
    soffice "-env:UserInstallation=file://$work/profile" --headless --convert-to "$2" --outdir "$work/out" "$1" >/dev/null
    mv "$work/out/$(basename "${1%.*}").${2%%:*}" "$3"
}
print_pdf() { # print_pdf PAGE OUTPUT
    chromium --headless --no-sandbox --no-pdf-header-footer "--print-to-pdf=$2" "file://$1" 2>/dev/null
}

pandoc harbour.md -o harbour-pandoc.docx
pandoc harbour.md -o harbour-pandoc.epub
pandoc harbour.md -o "$work/harbour.odt"
office "$work/harbour.odt" docx harbour-libreoffice.docx
office "$work/harbour.odt" pdf harbour-libreoffice.pdf
office "$work/harbour.odt" \
    'pdf:writer_pdf_Export:{"EncryptFile":{"type":"boolean","value":"true"},"DocumentOpenPassword":{"type":"string","value":"petrel"}}' \
    locked.pdf

pandoc -s harbour.md -o "$work/plain.html"
print_pdf "$work/plain.html" harbour-chromium.pdf
# Chromium brings no hyphenation of its own without a network; it breaks words at soft hyphens.
pandoc -s harbour.md -H print.html | sed -E '/^<[pl]/,$ s/([a-z]{3})(tion|ment|able|ously|ability|ations|tected|panies|tative)/\1\&shy;\2/g' >"$work/columns.html"
print_pdf "$work/columns.html" columns-chromium.pdf

# LibreOffice takes a div of two columns for a section of two columns.
pandoc harbour.md -o "$work/body.html"
{
    echo '<html><head><title>The Lantern Harbour Report</title><meta name="author" content="Gaëlle Østergård">'
    echo '<meta charset="utf-8"></head><body lang="en-US"><h1>The Lantern Harbour Report</h1><div style="column-count: 2">'
    cat "$work/body.html"
    echo '</div></body></html>'
} >"$work/section.html"
soffice "-env:UserInstallation=file://$work/profile" --headless '--infilter=HTML (StarWriter)' --convert-to odt --outdir "$work/out" "$work/section.html"
office "$work/out/section.odt" fodt "$work/section.fodt"
sed -i 's/fo:hyphenate="false"/fo:hyphenate="true"/g' "$work/section.fodt"
office "$work/section.fodt" pdf columns-libreoffice.pdf

pandoc slides.md -o slides-pandoc.pptx
office slides-pandoc.pptx pptx slides-libreoffice.pptx
office berths.fods xlsx berths-libreoffice.xlsx

# A page that is nothing but a picture of text.
printf '<img src="data:image/svg+xml,%%3Csvg xmlns=%%22http://www.w3.org/2000/svg%%22 width=%%22300%%22 height=%%22200%%22%%3E%%3Crect width=%%22200%%22 height=%%2290%%22/%%3E%%3C/svg%%3E">' >"$work/scan.html"
print_pdf "$work/scan.html" scan-chromium.pdf
