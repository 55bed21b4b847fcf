// Package clients drives a real cluster with client libraries as their users would: go-redis, rueidis, ioredis,
// node-redis (RESP2 and RESP3), redis-py and hiredis. Each shows the same list of features (what a library cannot do is
// said in session_test.go), then all of them write, call functions, commit transactions and wait in BLPOP at once.
//
// COBBLE_PROCESSES=full goes on with kill -9 of a primary and a reshard by redis-cli underneath. COBBLE_PROGRAM=redis
// runs the same against redis-server, to test the test. It needs node, npm, gcc, libhiredis-dev and python3-redis
// (make need); the Node libraries come from node/package-lock.json.
package clients
