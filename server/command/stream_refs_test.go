package command

import (
	"strings"
	"testing"

	"cobble/storage"
)

// What Redis 8.2 documents.
const streamReferences = `
	XDELEX s IDS 2 1-1 2-1 => *2 :-1 :-1
	XACKDEL s g IDS 1 1-1 => *1 :-1
	XADD s 1-1 a 1 => $3 1-1
	XADD s 2-1 a 1 => $3 2-1
	XADD s 3-1 a 1 => $3 3-1
	XADD s 4-1 a 1 => $3 4-1
	XADD s 5-1 a 1 => $3 5-1
	XADD s 6-1 a 1 => $3 6-1
	XACKDEL s g IDS 1 1-1 => *1 :-1
	XGROUP CREATE s g 0 => +OK
	XGROUP CREATE s h 0 => +OK
	XREADGROUP GROUP g c COUNT 5 STREAMS s > => *1 *2 $1 s *5 *2 $3 1-1 *2 $1 a $1 1 *2 $3 2-1 *2 $1 a $1 1 *2 $3 3-1 *2 $1 a $1 1 *2 $3 4-1 *2 $1 a $1 1 *2 $3 5-1 *2 $1 a $1 1
	XREADGROUP GROUP h d COUNT 3 STREAMS s > => *1 *2 $1 s *3 *2 $3 1-1 *2 $1 a $1 1 *2 $3 2-1 *2 $1 a $1 1 *2 $3 3-1 *2 $1 a $1 1
	XDELEX s ACKED IDS 2 1-1 9-9 => *2 :2 :-1
	XACK s g 1-1 => :1
	XDELEX s ACKED IDS 1 1-1 => *1 :2
	XACK s h 1-1 => :1
	XDELEX s ACKED IDS 1 1-1 => *1 :1
	XDELEX s IDS 1 1-1 => *1 :-1
	XDELEX s IDS 1 2-1 => *1 :1
	XPENDING s g - + 9 c => *4 *4 $3 2-1 $1 c :0 :1 *4 $3 3-1 $1 c :0 :1 *4 $3 4-1 $1 c :0 :1 *4 $3 5-1 $1 c :0 :1
	XDELEX s delref ids 1 3-1 => *1 :1
	XPENDING s g => *4 :3 $3 2-1 $3 5-1 *1 *2 $1 c $1 3
	XPENDING s h => *4 :1 $3 2-1 $3 2-1 *1 *2 $1 d $1 1
	XACKDEL s g ACKED IDS 1 4-1 => *1 :2
	XPENDING s g => *4 :2 $3 2-1 $3 5-1 *1 *2 $1 c $1 2
	XREADGROUP GROUP h d COUNT 2 STREAMS s > => *1 *2 $1 s *2 *2 $3 4-1 *2 $1 a $1 1 *2 $3 5-1 *2 $1 a $1 1
	XACKDEL s h ACKED IDS 2 4-1 4-1 => *2 :1 :-1
	XACKDEL s g DELREF IDS 1 5-1 => *1 :1
	XPENDING s h => *4 :1 $3 2-1 $3 2-1 *1 *2 $1 d $1 1
	XACKDEL s h IDS 2 2-1 6-1 => *2 :1 :-1
	XPENDING s h => *4 :0 $-1 $-1 *-1
	XLEN s => :1
	XDELEX s IDS 0 1-1 => -ERR Number of IDs must be a positive integer
	XDELEX s IDS x 1-1 => -ERR Number of IDs must be a positive integer
	XDELEX s IDS 2 1-1 => -ERR The ${numids} parameter must match the number of arguments
	XDELEX s IDS 1 1-1 2-1 => -ERR syntax error
	XDELEX s KEEPREF ACKED IDS 1 1-1 => -ERR syntax error
	XDELEX s FOO 1 1-1 => -ERR syntax error
	XDELEX s IDS 1 x => -ERR Invalid stream ID specified as stream command argument
	XDELEX s IDS 1 => -ERR wrong number of arguments for 'xdelex' command
	XACKDEL s g IDS 1 => -ERR wrong number of arguments for 'xackdel' command
	XDELEX s ACKED DELREF KEEPREF => -ERR syntax error
	SET str x => +OK
	XDELEX str IDS 1 1-1 => -WRONGTYPE Operation against a key holding the wrong kind of value
	XACKDEL str g IDS 1 1-1 => -WRONGTYPE Operation against a key holding the wrong kind of value
	XADD t 1-1 a 1 => $3 1-1
	XADD t 2-1 a 1 => $3 2-1
	XADD t 3-1 a 1 => $3 3-1
	XTRIM t ACKED MAXLEN 2 => :1
	XADD t 1-1 a 1 => -ERR The ID specified in XADD is equal or smaller than the target stream top item
	XGROUP CREATE t g 0 => +OK
	XTRIM t MAXLEN 0 ACKED => :0
	XADD t ACKED MAXLEN 1 4-1 a 1 => $3 4-1
	XLEN t => :3
	XREADGROUP GROUP g c COUNT 2 STREAMS t > => *1 *2 $1 t *2 *2 $3 2-1 *2 $1 a $1 1 *2 $3 3-1 *2 $1 a $1 1
	XACK t g 3-1 => :1
	XTRIM t MAXLEN 1 ACKED => :1
	XTRIM t MINID 4 ACKED => :0
	XADD t 5-1 a 1 => $3 5-1
	XTRIM t MAXLEN 1 KEEPREF => :2
	XPENDING t g => *4 :1 $3 2-1 $3 2-1 *1 *2 $1 c $1 1
	XADD t 6-1 a 1 => $3 6-1
	XREADGROUP GROUP g c STREAMS t > => *1 *2 $1 t *2 *2 $3 5-1 *2 $1 a $1 1 *2 $3 6-1 *2 $1 a $1 1
	XTRIM t MINID 6 DELREF => :1
	XPENDING t g => *4 :2 $3 2-1 $3 6-1 *1 *2 $1 c $1 2
	XADD t DELREF MAXLEN 1 7-1 a 1 => $3 7-1
	XPENDING t g => *4 :1 $3 2-1 $3 2-1 *1 *2 $1 c $1 1
	XTRIM t MAXLEN 1 ACKED DELREF => -ERR syntax error
	XTRIM t ACKED DELREF => -ERR syntax error
	XTRIM t ACKED LIMIT 0 => -ERR syntax error, XTRIM must be called with a trimming strategy
	COMMAND GETKEYS XACKDEL s g IDS 1 1-1 => *1 $1 s
`

func TestStreamReferences(t *testing.T) {
	c, do := newRunner(t)
	c.Now = 1000
	sameReplies(t, do, strings.ReplaceAll(streamReferences, "${numids}", "`numids`"))
	var got []string
	c.Env.Engine.OnEvents(func(_ storage.LSN, events []storage.Event) {
		for _, e := range events {
			got = append(got, e.Name)
		}
	})
	c.Env.Engine.SetEvents(1<<16 - 1)
	for line := range strings.Lines(`
		XADD u 1-1 a 1 => new xadd
		XGROUP CREATE u g 0 => xgroup-create
		XGROUP CREATE u h 0 => xgroup-create
		XREADGROUP GROUP g c STREAMS u > => xgroup-createconsumer
		XDELEX u ACKED IDS 1 1-1 =>
		XDELEX u IDS 1 2-1 =>
		XACKDEL u g ACKED IDS 1 1-1 =>
		XDELEX u IDS 1 1-1 => xdel`) {
		command, want, is := strings.Cut(strings.TrimSpace(line), " =>")
		if !is {
			continue
		}
		got = nil
		do(strings.Fields(command)...)
		if strings.Join(got, " ") != strings.TrimSpace(want) {
			t.Errorf("%s: %q, want %q", command, got, want)
		}
	}
}
