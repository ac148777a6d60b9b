# shellcheck shell=bash
# apply: prints what the others need to join and to administer the cluster. Runs on the first server.
# Standard output: one line of JSON; all of it is secret: kubeconfig (as k3s wrote it), server_token and
# agent_token_full (with the sum of the cluster's CA), agent_token (the bare one, which all servers must share).
# Variables: HOST, WAIT_S (seconds until a k3s that was restarted answers).

K3S=$ROOT/usr/local/bin/k3s
# Seconds. k3s makes a certificate anew when it starts within 90 days of its end, and at no other time.
# https://docs.k3s.io/cli/certificate
RENEW_BEFORE_S=$((60 * 24 * 3600))
SERVER_DIR=$ROOT/var/lib/rancher/k3s/server
CONFIG_FILE=$ROOT/etc/rancher/k3s/config.yaml
KUBECONFIG_FILE=$ROOT/etc/rancher/k3s/k3s.yaml

# is_lasting: has the kubeconfig's certificate a while to go? One that cannot be read is not judged.
is_lasting() {
  local certificate
  certificate=$(sed -n 's/^ *client-certificate-data: //p' "$KUBECONFIG_FILE" | head -n 1 | base64 --decode 2>/dev/null || true)
  if ! has openssl || ! openssl x509 -noout <<<"$certificate" >/dev/null 2>&1; then return 0; fi
  openssl x509 -noout -checkend "$RENEW_BEFORE_S" <<<"$certificate" >/dev/null 2>&1
}

# renew: a restart of k3s, under which pods run on.
renew() {
  local deadline=$((SECONDS + WAIT_S))
  note "the certificate of the kubeconfig ends within 60 days or has ended: k3s is restarted to make a new one"
  systemctl restart --no-block k3s
  while ((SECONDS < deadline)); do
    if is_lasting && "$K3S" kubectl get --raw=/readyz --request-timeout=5s >/dev/null 2>&1; then return; fi
    sleep 1
  done
  fail "k3s has no newer certificate $WAIT_S s after its restart" "with an old one nobody is let in" \
    "run: sudo systemctl stop k3s && sudo k3s certificate rotate && sudo systemctl start k3s; then run make up again"
}

apply() {
  local server agent bare file
  for file in "$KUBECONFIG_FILE" "$SERVER_DIR/token" "$SERVER_DIR/agent-token"; do
    if [ ! -s "$file" ]; then
      problem "${file#"$ROOT"} is missing or empty" "a running k3s server writes it" \
        "see: sudo journalctl -u k3s; then run make up again"
    fi
  done
  refuse_problems
  is_lasting || renew
  server=$(cat "$SERVER_DIR/token")
  agent=$(cat "$SERVER_DIR/agent-token")
  bare=$(sed -n 's/^agent-token: "\(.*\)"$/\1/p' "$CONFIG_FILE")
  # Without the sum a host would trust whatever CA answers it. https://docs.k3s.io/cli/token
  [[ $server =~ ^K10[0-9a-f]{64}::server: ]] ||
    problem "server/token is not K10<sum>::server:<password>" "servers join with a token that pins the CA" \
      "restart k3s: sudo systemctl restart k3s; then run make up again"
  [[ $agent =~ ^K10[0-9a-f]{64}::node: ]] ||
    problem "server/agent-token is not K10<sum>::node:<password>" "agents join with a token of their own that pins the CA" \
      "restart k3s: sudo systemctl restart k3s; then run make up again"
  [ -n "$bare" ] ||
    problem "config.yaml has no agent-token" "all servers share one" "run make up again"
  refuse_problems
  printf '{"kubeconfig":%s,"server_token":%s,"agent_token_full":%s,"agent_token":%s}\n' \
    "$(json_string "$(cat "$KUBECONFIG_FILE")")" "$(json_string "$server")" "$(json_string "$agent")" "$(json_string "$bare")"
}

main() {
  "$1"
}
