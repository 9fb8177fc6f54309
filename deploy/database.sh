# Sourced by backup and restore. Sets $url from DATABASE_DIRECT_URL or, without it, DATABASE_URL. Moves the password
# into PGPASSWORD, which other users of the machine cannot see.
url=${DATABASE_DIRECT_URL:-${DATABASE_URL:-}}
[ -n "$url" ] || fail "set DATABASE_URL, as in postgres://user:password@host:port/name" 2
case $url in
*://*:*@*)
    scheme=${url%%://*} rest=${url#*://}
    # In the password, @ and / must be written as %40 and %2F.
    credentials=${rest%%@*}
    password=${credentials#*:}
    # printf reads octal: %40 becomes \0100.
    octal=$(printf %s "$password" | sed 's/\\/\\\\/g; s/%\([0-9A-Fa-f][0-9A-Fa-f]\)/\n%\1\n/g' | while IFS= read -r part || [ -n "$part" ]; do
        case $part in %??) printf '\\0%o' "0x${part#%}" ;; *) printf %s "$part" ;; esac
    done)
    PGPASSWORD=$(printf %b "$octal")
    export PGPASSWORD
    url=$scheme://${credentials%%:*}@${rest#*@}
    ;;
esac
