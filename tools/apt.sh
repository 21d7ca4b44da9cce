# For scripts to source: `apt_install PACKAGE...` installs Debian packages, where apt-get is there and
# may be used; otherwise it fails. Nothing goes to standard output.

apt_install() {
    if [ "$(id -u)" = 0 ]; then
        as_root=
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        as_root=sudo
    else
        return 1
    fi
    command -v apt-get >/dev/null || return 1
    echo "installing with apt-get: $*" >&2
    lock="-o DPkg::Lock::Timeout=300"
    # shellcheck disable=SC2086 # words on purpose
    {
        $as_root apt-get $lock -qq update &&
            $as_root env DEBIAN_FRONTEND=noninteractive \
                apt-get $lock -qq install -y --no-install-recommends "$@"
    } </dev/null >&2
}
