# shellcheck shell=bash
# apply: prints what the others need to join and to administer the cluster. Runs on the first server.
# Standard output: one line of JSON; all of it is secret: kubeconfig (as k3s wrote it), server_token and
# agent_token_full (with the sum of the cluster's CA), agent_token (the bare one, which all servers must share).
# Variables: HOST.

SERVER_DIR=$ROOT/var/lib/rancher/k3s/server
CONFIG_FILE=$ROOT/etc/rancher/k3s/config.yaml
KUBECONFIG_FILE=$ROOT/etc/rancher/k3s/k3s.yaml

apply() {
  local server agent bare file
  for file in "$KUBECONFIG_FILE" "$SERVER_DIR/token" "$SERVER_DIR/agent-token"; do
    if [ ! -s "$file" ]; then
      problem "${file#"$ROOT"} is missing or empty" "a running k3s server writes it" \
        "see: sudo journalctl -u k3s; then run make up again"
    fi
  done
  refuse_problems
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
