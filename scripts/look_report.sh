#!/usr/bin/env bash
# What a report looks like, as pictures: look_report.sh REPORT.html [FOLDER]
# Light, dark, at the width of a desk and of a phone, and as it is printed. Needs chromium, and pdftoppm for paper:
#   apt-get update && apt-get install -y chromium poppler-utils
set -euo pipefail
report=${1:?look_report: say which report.html to look at}
folder=${2:-.}
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
if [ -z "$browser" ]; then
  echo "look_report: chromium is missing; apt-get update && apt-get install -y chromium poppler-utils" >&2
  exit 2
fi
mkdir -p "$folder"
rm -f "$folder"/print*.png
page="file://$(realpath "$report")"
profile=$(mktemp -d)
trap 'rm -rf "$profile"' EXIT
look() { "$browser" --headless --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$profile" "$@" "$page" 2>/dev/null; }
dark=--blink-settings=preferredColorScheme=0
light=--blink-settings=preferredColorScheme=1
look $light --window-size=1200,4200 --screenshot="$folder/light-1200.png"
look $dark --window-size=1200,4200 --screenshot="$folder/dark-1200.png"
# A window of a browser is at least 500 pixels wide: a phone is a frame of 400 within it.
frame="$profile/phone.html"
printf '<body style="margin:0"><iframe src="%s" style="width:400px;height:9000px;border:0"></iframe>' "$page" > "$frame"
page="file://$frame"
look $light --allow-file-access-from-files --window-size=500,9000 --screenshot="$folder/light-400.png"
look $dark --allow-file-access-from-files --window-size=500,9000 --screenshot="$folder/dark-400.png"
page="file://$(realpath "$report")"
look --no-pdf-header-footer --print-to-pdf="$folder/print.pdf"
if command -v pdftoppm > /dev/null; then
  pdftoppm -r 60 -png "$folder/print.pdf" "$folder/print"
else
  echo "look_report: pdftoppm is missing (poppler-utils): print.pdf is not shown as pictures" >&2
fi
ls "$folder"
