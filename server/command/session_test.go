package command

import (
	"strings"
	"testing"
)

// What a client can say about itself and the server, beside keys: the same
// replies as redis-server, errors included.
func TestSessionCommandsAreRedis(t *testing.T) {
	script := `PING|PING a|PING a b|ECHO|ECHO hi|SELECT 0|SELECT x|SELECT 16|SELECT -1|SELECT 99999999999
AUTH x|AUTH a b|AUTH default x|AUTH a b c|HELLO 4|HELLO x|HELLO 2 auth a|HELLO 2 auth a b|HELLO 2 foo|HELLO 3 SETNAME "a b"
CLIENT KILL foo|CLIENT KILL ID x|CLIENT KILL ID 999999|CLIENT KILL TYPE foo|CLIENT KILL ADDR 1.2.3.4:5 USER nouser|CLIENT KILL SKIPME foo|CLIENT KILL ID 98 ID 99
CLIENT LIST TYPE foo|CLIENT LIST ID|CLIENT LIST ID x|CLIENT LIST ID 12345|CLIENT LIST TYPE pubsub|CLIENT LIST foo bar
CLIENT SETNAME "a b"|CLIENT SETNAME ab|CLIENT GETNAME|CLIENT SETNAME ""|CLIENT GETNAME|CLIENT PAUSE x|CLIENT PAUSE -1|CLIENT PAUSE 0 foo|CLIENT UNPAUSE
CLIENT PAUSE 99999999999999999999|CLIENT REPLY foo|CLIENT REPLY ON|CLIENT NO-EVICT on|CLIENT NO-EVICT x|CLIENT UNBLOCK 1|CLIENT UNBLOCK x|CLIENT UNBLOCK 1 foo
CLIENT GETREDIR|CLIENT CACHING yes|CLIENT CACHING x|CLIENT TRACKINGINFO|CLIENT|CLIENT foo|CLIENT SETNAME
SLOWLOG GET x|SLOWLOG GET -2|SLOWLOG GET 1 2|SLOWLOG FOO|SLOWLOG RESET|SLOWLOG LEN|SLOWLOG GET|SLOWLOG HELP
LATENCY LATEST|LATENCY HISTORY foo|LATENCY RESET foo|LATENCY GRAPH foo|LATENCY HELP|LATENCY HISTOGRAM nosuch
MEMORY USAGE nokey|MEMORY USAGE a SAMPLES|MEMORY USAGE a SAMPLES -1|MEMORY USAGE a SAMPLES x|MEMORY USAGE a foo 1|MEMORY PURGE|MEMORY HELP|MEMORY DOCTOR x
DEBUG FOO|DEBUG SET-ACTIVE-EXPIRE 1|DEBUG LOG hi|DEBUG ERROR "FOO bar"|DEBUG SLEEP 0|DEBUG PROTOCOL foo|DEBUG PROTOCOL verbatim
DEBUG PROTOCOL bignum|DEBUG PROTOCOL map|DEBUG PROTOCOL set|DEBUG PROTOCOL double|DEBUG PROTOCOL null|DEBUG PROTOCOL array|DEBUG PROTOCOL true|DEBUG PROTOCOL string|DEBUG PROTOCOL integer
WAIT x 1|WAIT 1 -1|WAIT 1 x|WAIT 0 0|ROLE x|SHUTDOWN a b c d e|SHUTDOWN SAVE NOSAVE|SHUTDOWN ABORT|FAILOVER|REPLICAOF a b c|REPLICAOF a x|REPLICAOF NO ONE
SWAPDB 0 0|SAVE x|SAVE|BGSAVE foo|ACL CAT foo|ACL WHOAMI|ACL USERS|ACL GETUSER nouser
CONFIG SET maxclients abc|CONFIG GET|CONFIG SET a|CONFIG SET a b c|CONFIG SET nosuch 1|CONFIG FOO|CONFIG RESETSTAT x|CONFIG REWRITE|CONFIG RESETSTAT|CONFIG HELP
CONFIG SET maxmemory 1mb slowlog-max-len 5|CONFIG SET maxmemory 2mb slowlog-max-len x|CONFIG GET maxmemory|CONFIG GET MAXMEMORY|CONFIG SET maxmemory 0
CONFIG GET hash-max-listpack-v*|CONFIG GET hash-max-ziplist-e*CONFIG GET slave-prio*|CONFIG GET watchdog*|CONFIG GET watchdog-period|CONFIG GET client-output-buffer-limit
COMMAND GETKEYS FOO a|COMMAND GETKEYS SET a b|COMMAND GETKEYS DEL a b c|COMMAND GETKEYSANDFLAGS MSET a b c d|COMMAND LIST FILTERBY MODULE x|COMMAND LIST FILTERBY ACLCAT nope
COMMAND LIST FOO|COMMAND DOCS nosuch|COMMAND INFO nosuch get|COMMAND HELP|COMMAND FOO|foo a b|foo|client nosuch a|object`
	for _, proto := range []int{2, 3} {
		p := newPair(t, proto)
		for _, line := range strings.Split(script, "\n") {
			for _, command := range strings.Split(line, "|") {
				p.same(command)
			}
		}
	}
}

// COMMAND INFO of the rows that are not about keys, byte for byte.
func TestCommandInfoIsRedis(t *testing.T) {
	p := newPair(t, 2)
	later := map[string]bool{ // tips and arities that 7.2 has and 7.0 has not
		"config|resetstat": true, "config|rewrite": true, "client|setname": true, "latency|reset": true, "command|getkeys": true, "command|getkeysandflags": true,
		"waitaof": true, "acl|deluser": true, "acl|save": true, "acl|setuser": true,
	}
	for _, family := range []func() []Command{connectionCommands, clientCommands, transactionCommands, introspectionCommands, configCommands, adminCommands, observeCommands, debugCommands, aclCommands} {
		for _, row := range family() {
			if len(row.Sub) == 0 && !later[row.Name] {
				p.same("COMMAND INFO " + row.Name)
			}
			for _, sub := range row.Sub {
				name := row.Name + "|" + sub.Name
				if theirs := p.theirs.do("COMMAND", "INFO", name); !later[name] && theirs != "*1\r\n$-1\r\n" {
					p.same("COMMAND INFO " + name)
				}
			}
		}
	}
}
