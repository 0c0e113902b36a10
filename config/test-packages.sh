#!/usr/bin/env bash
# The independent programs that tests ask: as root on Debian or Ubuntu install what is missing, else say how.
set -u
declare -A packages=(
  [openssl]=openssl [xmlsec1]=xmlsec1 [xmllint]=libxml2-utils [nginx]=nginx-light [chromium]=chromium
  [gpg]=gnupg [cc]=gcc
)
missing=()
for program in "${!packages[@]}"; do
  PATH="$PATH:/usr/sbin" command -v "$program" >/dev/null || missing+=("${packages[$program]}")
done
[ ${#missing[@]} = 0 ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "Installing what the tests use: ${missing[*]}"
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } \
    >/dev/null 2>&1 || echo "That failed; tests that need ${missing[*]} skip."
else
  echo "Tests that need ${missing[*]} skip. To run them: sudo apt-get install -y ${missing[*]}"
fi
exit 0
