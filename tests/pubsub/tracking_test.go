package pubsub

import "testing"

// trackingErrors is what is refused, and what TRACKINGINFO says.
const trackingErrors = `
a> CLIENT TRACKING
a< 1
a> CLIENT TRACKING maybe
a< 1
a> CLIENT TRACKING ON nosuch
a< 1
a> CLIENT TRACKING ON PREFIX x
a< 1
a> CLIENT TRACKING ON OPTIN OPTOUT
a< 1
a> CLIENT TRACKING ON BCAST OPTIN
a< 1
a> CLIENT TRACKING ON REDIRECT 999999
a< 1
a> CLIENT TRACKING ON REDIRECT x
a< 1
a> CLIENT TRACKING ON REDIRECT $b REDIRECT $c
a< 1
a> CLIENT TRACKING ON BCAST PREFIX ab PREFIX abc
a< 1
a> CLIENT CACHING YES
a< 1
a> CLIENT GETREDIR
a< 1
a> CLIENT TRACKINGINFO
a< 1
a> CLIENT TRACKING OFF
a< 1
a> CLIENT TRACKING ON OPTIN
a< 1
a> CLIENT CACHING NO
a< 1
a> CLIENT CACHING maybe
a< 1
a> CLIENT TRACKING ON OPTOUT
a< 1
a> CLIENT TRACKING ON BCAST
a< 1
a> CLIENT CACHING YES
a< 1
a> CLIENT TRACKINGINFO
a< 1
a> CLIENT TRACKING OFF
a< 1
a> CLIENT TRACKING ON OPTOUT NOLOOP
a< 1
a> CLIENT CACHING YES
a< 1
a> CLIENT TRACKINGINFO
a< 1
a> CLIENT TRACKING OFF
a< 1
a> CLIENT TRACKING ON BCAST PREFIX x PREFIX b
a< 1
a> CLIENT TRACKING ON BCAST PREFIX xy
a< 1
a> CLIENT TRACKING ON BCAST PREFIX c NOLOOP
a< 1
a> CLIENT TRACKINGINFO
a< 1
a> CLIENT TRACKING ON
a< 1
a> RESET
a< 1
a> CLIENT TRACKINGINFO
a< 1
`

// tracking3 is what RESP3 shows in the connection itself.
const tracking3 = `
a> CLIENT TRACKING ON
a< 1
a> GET k
a< 1
a> MGET k1 k2
a< 1
b> SET k v
b< 1
a< 1
b> SET k w
b< 1
b> MSET k1 1 k2 2
b< 1
a< 2
a> HGETALL h
a< 1
b> HSET h f v
b< 1
a< 1
a> GET k
a< 1
a> SET k own
a< 2
a> MULTI
a< 1
a> GET k
a< 1
a> LRANGE l 0 -1
a< 1
a> EXEC
a< 1
b> MULTI
b< 1
b> RPUSH l 1
b< 1
b> DEL k
b< 1
b> EXEC
b< 1
a< 2
a> EVAL return{redis.call('get',KEYS[1])} 1 k
a< 1
b> SET k x
b< 1
a< 1
a> GET k
a< 1
b> EVAL return{redis.call('incr',KEYS[1])} 1 n
b< 1
b> EVAL redis.call('set',KEYS[1],1)return{redis.call('incr',KEYS[1])} 1 k
b< 1
a< 1
a> GET k
a< 1
b> EXPIRE k 100
b< 1
a< 1
a> GET k
a< 1
b> PERSIST k
b< 1
a< 1
a> GET k
a< 1
b> PEXPIRE k 100000
b< 1
a< 1
a> GET k
a< 1
a> GET k2
a< 1
b> FLUSHALL
b< 1
a< 1
a> GET k
a< 1
b> PSETEX k 500 v
b< 1
a< 1
a> GET k
a< 2
a> GET moved
a< 1
b> SET from v
b< 1
b> RENAME from moved
b< 1
a< 1
a> CLIENT TRACKING OFF
a< 1
a> CLIENT TRACKING ON NOLOOP
a< 1
a> GET k
a< 1
a> SET k v
a< 1
b> SET k w
b< 1
a> GET k
a< 1
b> SET k w
b< 1
a< 1
a> CLIENT TRACKING OFF
a< 1
a> CLIENT TRACKING ON OPTIN
a< 1
a> GET k
a< 1
b> SET k w
b< 1
a> CLIENT CACHING YES
a< 1
a> GET k
a< 1
a> GET k1
a< 1
b> SET k1 w
b< 1
b> SET k w
b< 1
a< 1
a> CLIENT CACHING YES
a< 1
a> MULTI
a< 1
a> GET k
a< 1
a> GET k1
a< 1
a> EXEC
a< 1
b> SET k1 w
b< 1
a< 1
b> SET k w
b< 1
a< 1
a> CLIENT TRACKING OFF
a< 1
a> CLIENT TRACKING ON OPTOUT
a< 1
a> CLIENT CACHING NO
a< 1
a> GET k
a< 1
a> GET k1
a< 1
b> SET k w
b< 1
b> SET k1 w
b< 1
a< 1
a> CLIENT TRACKING OFF
a< 1
a> CLIENT TRACKING ON BCAST PREFIX user: PREFIX foo
a< 1
c> CLIENT TRACKING ON BCAST NOLOOP
c< 1
b> SET user:1 x
b< 1
a< 1
c< 1
b> MSET z 1 user:2 2 foo 3 user:1 2
b< 1
c< 1
a< 2
c> SET mine x
c< 1
c> DEL foo
c< 1
a< 1
b> MULTI
b< 1
b> DEL user:2
b< 1
b> INCR n
b< 1
b> EXEC
b< 1
c< 1
a< 1
b> FLUSHALL
b< 1
c< 1
a< 1
`

// redirected is the way of RESP2: messages go to another client.
const redirected = `
a> SUBSCRIBE __redis__:invalidate
a< 1
b> CLIENT TRACKING ON REDIRECT $a
b< 1
b> CLIENT GETREDIR
b< 1
b> GET k
b< 1
c> SET k v
c< 1
a< 1
b> GET k
b< 1
b> SET k w
b< 1
a< 1
b> GET k
b< 1
c> FLUSHDB
c< 1
a< 1
b> CLIENT TRACKING OFF
b< 1
b> CLIENT TRACKING ON BCAST REDIRECT $a
b< 1
c> MSET x 1 y 2
c< 1
a< 1
b> CLIENT TRACKING ON BCAST NOLOOP REDIRECT $a
b< 1
b> SET x 1
b< 1
c> SET y 1
c< 1
a< 1
`

// brokenRedirect: the other client is gone.
const brokenRedirect = `
b> CLIENT TRACKING ON REDIRECT $a
b< 1
b> GET k
b< 1
c> CLIENT KILL ID $a
c< 1
c> SET k v
c< 1
b< 1
b> PING
b< 1
b> CLIENT GETREDIR
b< 1
`

func TestTracking(t *testing.T) {
	compare(t, "2", trackingErrors+redirected)
	compare(t, "3", trackingErrors)
	compare(t, "3", tracking3)
	compare(t, "3", redirected)
	compare(t, "3", brokenRedirect)
}
