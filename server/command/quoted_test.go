package command

import (
	"strings"
	"testing"
)

// Errors quote what clients sent: to its first NUL, a limited length of it, with its
// line ends as spaces.
func TestErrorsQuoteAsTheOracleDoes(t *testing.T) {
	words := []string{"a\x00b", "\x00", "a\rb", "a\r\nb", "\r\n", "\r\nab", "ab\r\n", "a\r\x00b", "a\xffb\xfe", "", "%s", "a'b",
		strings.Repeat("x", 127), strings.Repeat("y", 500), strings.Repeat("é", 100), strings.Repeat("é", 60) + "\x00" + strings.Repeat("é", 60)}
	lines := []string{`$`, `foo $`, `foo a $ b`, `foo $ $ $`, `CLIENT $`, `CLIENT $ a`, `CONFIG $`, `OBJECT $ a`, `PUBSUB $`, `DEBUG $`, `DEBUG $ $`,
		`CLIENT KILL TYPE $`, `CLIENT KILL USER $`, `CLIENT LIST TYPE $`, `CLIENT TRACKING ON BCAST PREFIX a PREFIX a$`,
		`CONFIG SET $ 1`, `CONFIG SET maxmemory 0 $ 1`, `LATENCY GRAPH $`, `EXPIRE k 1 $`, `XCLAIM st g c 0 1-1 $`,
		`ACL $`, `ACL CAT $`, `ACL SETUSER u $`, `ACL SETUSER u +a$`, `ACL SETUSER u +@$`, `ACL SETUSER u ($`, `ACL SETUSER u (+a$)`, `ACL SETUSER u #$`,
		`ACL DRYRUN $ GET k`, `ACL DRYRUN default $ k`, `HELLO 3 $`,
		`XGROUP CREATECONSUMER st $ c`, `XREADGROUP GROUP $ c STREAMS st >`, `XREADGROUP GROUP g c STREAMS $ >`, `XPENDING st $`, `XINFO CONSUMERS st $`,
		`EVAL return{err=ARGV[1]} 0 $`, `EVAL return{ok=ARGV[1]} 0 $`, `EVAL return(redis.error_reply(ARGV[1])) 0 $`, `EVAL return(redis.status_reply(ARGV[1])) 0 $`,
		`EVAL error(ARGV[1]) 0 $`, `EVAL error({err=ARGV[1]}) 0 $`, `EVAL return(redis.call(ARGV[1])) 0 $`, `EVAL return(redis.pcall(ARGV[1])) 0 $`,
		`EVAL return(redis.call("set",1,1,ARGV[1])) 0 $`, `EVAL redis.set_repl(ARGV[1]) 0 $`, `EVAL return(_G[ARGV[1]]) 0 $`, `SCRIPT $`,
		`FUNCTION $`, `FUNCTION LOAD #!x$&return`, `FUNCTION LOAD #!x$?name=lib&return`}
	for _, proto := range []int{2, 3} {
		p := newPair(t, proto)
		p.same("SET k v")
		p.same("XADD st 1-1 f v")
		p.same("XGROUP CREATE st g 0")
		for _, line := range lines {
			for _, word := range words {
				args := strings.Fields(line)
				for i, arg := range args {
					args[i] = strings.NewReplacer("?", " ", "&", "\n", "$", word).Replace(arg)
				}
				p.sameArgs(args...)
			}
		}
	}
}
