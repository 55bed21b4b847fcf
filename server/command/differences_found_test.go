package command

import (
	"strings"
	"testing"
)

// What generated sequences have found to differ from the oracle (tests/differential), each in a line or two.
func TestFoundBySequences(t *testing.T) {
	sameLines(t, `
		XADD last 18446744073709551615-18446744073709551615 f v
		XTRIM last MAXLEN 0
		XADD s 1 f v
		XADD s 2 f v
		XADD s 3 f v
		XGROUP CREATE s g 0
		XGROUP CREATECONSUMER s g c
		XREADGROUP GROUP g c COUNT 1 STREAMS s s > >
		XREADGROUP GROUP g c STREAMS s s > >
		XPENDING none g - + 1 c d e
		XPENDING none g - + 1 c d e f
		XPENDING none g IDLE x b
		XPENDING none g IDLE 0 -
		XAUTOCLAIM s g c 0 0 COUNT x
		XGROUP CREATE s g2 0 ENTRIESREAD 1 ENTRIESREAD 1
		XGROUP CREATE s g2 0 MKSTREAM ENTRIESREAD x a
		XGROUP SETID s g -
		XGROUP SETID s g +
		XGROUP CREATE s g2 -
		XGROUP SETID none g 0 ENTRIESREAD 1 ENTRIESREAD 1
		XGROUP SETID s g 0 ENTRIESREAD 1 ENTRIESREAD 1
		CLIENT PAUSE 1 a a
		CLIENT PAUSE "" a
		CLIENT LIST ID 0
		CLIENT LIST ID 007
		CLIENT KILL ID +5
		DEBUG `+strings.Repeat("x", 200)+`
		SETBIT b 5 1
		BITPOS b 0 0 x 9
		BITPOS b 0 x 0 9
		SET over1 x
		SET over2 x
		RESTORE over1 0 "\x13\x01\x10\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\x1d\x1d\x00\x00\x00\x0a\x00\x01\x01\x00\x01\x01\x01\x81\x66\x02\x00\x01\x02\x01\x00\x01\x00\x01\x81\x76\x02\x04\x01\xff\x01\x01\x01\x01\x01\x00\x00\x01\x01\x02\x67\x31\x00\x00\x81\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x0a\x00\x38\x1d\x88\x84\xdd\x92\xbe\x1d" RE"\x13\x01\x10\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\x1d\x1d\x00\x00\x00\x0a\x00\x01\x01\x00\x01\x01\x01\x81\x66\x02\x00\x01\x02\x01\x00\x01\x00\x01\x81\x76\x02\x04\x01\xff\x01\x01\x01\x01\x01\x00\x00\x01\x01\x02\x67\x31\x00\x00\x81\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x0a\x00\x38\x1d\x88\x84\xdd\x92\xbe\x1d"ACE
		RESTORE over2 0 "\x13\x01\x10\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\x1d\x1d\x00\x00\x00\x0a\x00\x01\x01\x00\x01\x01\x01\x81\x66\x02\x00\x01\x02\x01\x00\x01\x00\x01\x81\x76\x02\x04\x01\xff\x01\x01\x01\x01\x01\x00\x00\x01\x01\x02\x67\x31\x00\x00\x81\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x0a\x00\x38\x1d\x88\x84\xdd\x92\xbe\x1d" RE"\x13\x01\x10\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\x1d\x1d\x00\x00\x00\x0a\x00\x01\x01\x00\x01\x01\x01\x81\x66\x02\x00\x01\x02\x01\x00\x01\x00\x01\x81\x76\x02\x04\x01\xff\x01\x01\x01\x01\x01\x00\x00\x01\x01\x02\x67\x31\x00\x00\x81\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x0a\x00\x38\x1d\x88\x84\xdd\x92\xbe\x1d"ACE
		DEL over2
		XRANGE over1 - +
		SET d x
		PEXPIREAT d 9223372036854775807
		EXPIRETIME d
		MEMORY USAGE none SAMPLES +1
		MEMORY USAGE none SAMPLES 00
	`)
}

func TestScriptsFoundBySequences(t *testing.T) {
	sameLines(t, `
		EVAL "return redis.error_reply(ARGV[1])" 0 abc
		EVAL "return redis.error_reply(ARGV[1])" 0 "abc def"
		EVAL "return redis.error_reply(ARGV[1])" 0 -abc
		EVAL "return redis.error_reply(ARGV[1])" 0 "\r\n"
		EVAL "return redis.error_reply(ARGV[1])" 0 "a\r\n$1\r\nb"
		EVAL "return redis.error_reply()" 0
		EVAL "return redis.status_reply()" 0
		EVAL "return {err = ARGV[1]}" 0 -5
		EVAL "return {err = ARGV[1]}" 0 "\r\n"
		EVAL "return {ok = ARGV[1]}" 0 "a\r\n$1\r\nb"
		EVAL "return bit.band(tonumber(ARGV[1]), 255)" 0 1e10
		EVAL "return tostring(tonumber(ARGV[1]))" 0 0x1F
		EVAL "return tostring(tonumber(ARGV[1]))" 0 ""
		EVAL "return redis.pcall(unpack(ARGV))" 0 LMPOP a 0 0
		EVAL "return redis.call(unpack(ARGV))" 0 EXPIRE f a "\r\n"
		EVAL "return 1" -0
		EVALSHA 0 SADD x 1
		EVALSHA 0123456789012345678901234567890123456789 x
		FUNCTION LOAD "#!lua name=lib1\nredis.register_function('call', function(keys, args) return 1 end)"
		FUNCTION LOAD "#!lua NAME=lib2\nredis.register_function('CALL', function(keys, args) return 1 end)"
		FUNCTION LOAD "#!lua name=lib1\nthis does not compile"
		FCALL CalL 0
		FCALL CalL 1
		FCALL none x
		FUNCTION LIST LIBRARYNAME LIB1
		FUNCTION LIST LIBRARYNAME LiB*
		FUNCTION LIST LIBRARYNAME ""
		FUNCTION FLUSH a b
		FUNCTION RESTORE a b c
	`)
}
