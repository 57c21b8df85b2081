#!/usr/bin/env bash
# Real sites on loopback for the *RealIT tests.
#
#   eval "$(it/nginx.sh start)"     start, and export what the tests read (NGINX_…)
#   mvn -Preal verify
#   it/nginx.sh accept TOKEN…       from now on the API accepts exactly these tokens
#   it/nginx.sh stop
#
# Heard: NGINX_BIN (default: nginx from the PATH or /usr/sbin), KEYTURN_IT_DIR (default: it/work), KEYTURN_IT_PORT (default
# 18443; it and the six above it are used), KEYTURN_IT_TOKENS (default: two made-up ones, separated by a blank).
# Needs openssl, and keytool of a JDK. Runs as any user.
set -euo pipefail

# shellcheck source=it/server.sh
source "$(dirname "${BASH_SOURCE[0]}")/server.sh"
port=${KEYTURN_IT_PORT:-18443}
tokens=${KEYTURN_IT_TOKENS:-ktn_it_A_7Qm2Xv9LrT4wZ8c1 ktn_it_B_5Hd3Kp6NsY0bJ2f9}

nginx_bin() {
    if [[ -n ${NGINX_BIN:-} ]]; then
        echo "$NGINX_BIN"
    else
        PATH=$PATH:/usr/sbin:/usr/local/sbin type -P nginx || fail "no nginx: install it or set NGINX_BIN"
    fi
}

run_nginx() {
    "$bin" -p "$dir" -c "$dir/nginx.conf" -e "$dir/error.log" "$@"
}

# accept TOKEN…: writes what the maps of nginx.conf include
accept() {
    local token bearer='' basic='' plain=''
    for token in "$@"; do
        [[ $token =~ ^[A-Za-z0-9_-]+$ ]] || fail "a token here is letters, digits, - and _ (it goes into a regular expression)"
        bearer+="\"~^Bearer $token\$\" 1;"$'\n'
        basic+="\"~^Basic $(printf 'agent:%s' "$token" | base64 -w0 | sed 's/+/\\+/g')\$\" 1;"$'\n'
        plain+="\"~^$token\$\" 1;"$'\n'
    done
    printf '%s' "$bearer" >"$dir/accepted.bearer"
    printf '%s' "$basic" >"$dir/accepted.basic"
    printf '%s' "$plain" >"$dir/accepted.plain"
}

# A CA of our own and a certificate for 127.0.0.1 and localhost, made once.
certificates() {
    [[ -s $dir/truststore.p12 ]] && openssl x509 -checkend 86400 -noout -in "$dir/server.pem" >/dev/null && return
    local keytool=keytool
    [[ -n ${JAVA_HOME:-} ]] && keytool=$JAVA_HOME/bin/keytool
    rm -f "$dir"/{ca,server}.* "$dir/truststore.p12"
    {
        openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj '/CN=Keyturn test CA' \
            -addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign,cRLSign' \
            -keyout "$dir/ca.key" -out "$dir/ca.pem"
        openssl req -newkey rsa:2048 -nodes -subj '/CN=localhost' -keyout "$dir/server.key" -out "$dir/server.csr"
        printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n' >"$dir/server.ext"
        openssl x509 -req -days 30 -in "$dir/server.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -CAcreateserial \
            -extfile "$dir/server.ext" -out "$dir/server.pem"
        "$keytool" -importcert -noprompt -alias keyturn-test-ca -file "$dir/ca.pem" \
            -keystore "$dir/truststore.p12" -storetype PKCS12 -storepass changeit
    } >"$dir/certificates.log" 2>&1 || fail "no certificates: see $dir/certificates.log"
}

configuration() {
    local user=''
    # As root the workers would become nobody, and could not reach a folder that is only ours.
    [[ $(id -u) == 0 ]] && user='user root;'
    sed -e "s|@DIR@|$dir|g" -e "s|@USER@|$user|" \
        -e "s|@API@|$port|g" -e "s|@REDIRECT@|$((port + 1))|g" -e "s|@STRANGER@|$((port + 2))|g" \
        -e "s|@FORBIDDEN@|$((port + 3))|g" -e "s|@PLAIN@|$((port + 4))|g" \
        -e "s|@HOTSWAP@|$((port + 5))|g" -e "s|@JUDGE@|$((port + 6))|g" \
        "$here/nginx.conf.template" >"$dir/nginx.conf"
}

start() {
    alone "$port"
    mkdir -p "$dir"
    rm -f "$dir"/{api,redirect,stranger,forbidden,error}.log
    certificates
    configuration
    # shellcheck disable=SC2086  # a list
    accept $tokens
    run_nginx >&2 || fail "nginx did not start: see $dir/error.log"
    # shellcheck disable=SC2086
    set -- $tokens
    cat <<EOF
export NGINX_BIN='$bin'
export NGINX_DIR='$dir'
export NGINX_CA='$dir/ca.pem'
export NGINX_TRUSTSTORE='$dir/truststore.p12'
export NGINX_TRUSTSTORE_PASSWORD='changeit'
export NGINX_URL='https://127.0.0.1:$port'
export NGINX_REDIRECT_URL='https://127.0.0.1:$((port + 1))'
export NGINX_STRANGER_URL='https://localhost:$((port + 2))'
export NGINX_FORBIDDEN_URL='https://127.0.0.1:$((port + 3))'
export NGINX_HOTSWAP_URL='https://127.0.0.1:$((port + 5))'
export NGINX_AUTH_PORT='$((port + 6))'
export NGINX_TOKEN_A='$1'
export NGINX_TOKEN_B='${2:-$1}'
EOF
}

case ${1:-} in
    start)
        bin=$(nginx_bin)
        start
        ;;
    accept)
        running || fail "is not running"
        bin=$(nginx_bin)
        accept "${@:2}"
        run_nginx -s reload
        ;;
    stop) stop ;;
    *) fail "start | accept TOKEN… | stop" ;;
esac
