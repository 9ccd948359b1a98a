#!/bin/sh
# nvcc.sh LOG COMMAND...: runs the command, keeps what it says in LOG and shows what is no report of ptxas.
log=$1
shift
"$@" >"$log" 2>&1
status=$?
grep -v -e '^ptxas info' -e 'bytes stack frame' -e '^[[:space:]]*$' "$log" >&2
exit $status
