package command

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
)

func TestSortRowsAreRedis(t *testing.T) { sameRows(t, sortCommands()) }

func TestSortRepliesAreRedis(t *testing.T) {
	sameLines(t, `
		SORT nothing
		SORT nothing STORE d
		RPUSH l 3 1 2 10 -5 2.5 1e1 " 7" 0x10
		SORT l
		SORT l DESC
		SORT l ASC LIMIT 1 3
		SORT l LIMIT 0 0
		SORT l LIMIT 100 5
		SORT l LIMIT -1 2
		SORT l LIMIT 2 -1
		SORT l LIMIT 2 -7
		SORT l LIMIT 9223372036854775807 9223372036854775807
		SORT l LIMIT 1
		SORT l LIMIT x 1
		SORT l LIMIT 1 x
		SORT l ALPHA
		SORT l ALPHA DESC LIMIT 0 3
		SORT l BY nosort
		SORT l BY nosort DESC
		SORT l BY nosort LIMIT 2 3
		SORT l BY nosort DESC LIMIT 2 3
		SORT l BY nosort DESC LIMIT 20 3
		SORT l x
		SORT l BY
		SORT l GET
		SORT l STORE
		SORT l DESC ASC
		SORT l STORE d
		LRANGE d 0 -1
		TYPE d
		SORT l LIMIT 0 0 STORE d
		EXISTS d
		SORT_RO l
		SORT_RO l STORE d
		SORT_RO l DESC LIMIT 0 2
		RPUSH bad 1 x 3
		SORT bad
		SORT bad ALPHA
		SORT bad STORE d
		RPUSH empty "" 1 -1
		SORT empty
		RPUSH nan nan
		SORT nan
		RPUSH infinite inf -inf 0
		SORT infinite
		SET string v
		SORT string
		SORT string x
		HSET hash f v
		SORT hash
		SADD s 5 3 9 1
		SORT s
		SORT s DESC ALPHA
		SORT s BY nosort STORE d
		LRANGE d 0 -1
		SADD texts b a c
		SORT texts
		SORT texts ALPHA
		SORT texts BY nosort STORE d
		LRANGE d 0 -1
		ZADD z 3 a 2 b 1 c 10 d
		SORT z ALPHA
		SORT z BY nosort
		SORT z BY nosort DESC
		SORT z BY nosort LIMIT 1 2
		SORT z BY nosort DESC LIMIT 1 2
		SORT z BY nosort LIMIT 9 2
		SORT z
		MSET w_1 30 w_2 20 w_3 10 v_1 one v_3 three
		RPUSH ids 1 2 3 4
		SORT ids BY w_*
		SORT ids BY w_* DESC
		SORT ids BY w_* GET v_*
		SORT ids BY w_* GET # GET v_*
		SORT ids GET # GET nostar GET v_* GET w_*
		SORT ids BY w_* LIMIT 1 2 GET #
		SORT ids BY v_* ALPHA
		SORT ids BY v_*
		SORT ids BY w_* GET v_* STORE d
		LRANGE d 0 -1
		HSET h_1 name x weight 5
		HSET h_2 name y weight 4
		HSET h_3 name z
		SORT ids BY h_*->weight GET h_*->name
		SORT ids BY h_*->weight GET h_*->nothing
		SORT ids BY h_*-> GET h_*->
		SORT ids GET v_*->name
		SORT ids GET h_*
		SORT ids BY w_*->x
		SORT ids BY *
		SORT ids GET *
		SORT_RO ids BY w_* GET v_*
		SORT ids STORE ids
		LRANGE ids 0 -1
		SORT ids DESC STORE ids
		LRANGE ids 0 -1
		SORT ids STORE STORE DESC
		LRANGE STORE 0 -1
		SORT ids STORE limit STORE other
		LRANGE other 0 -1
		EXISTS limit
		DEL STORE other
		COMMAND GETKEYS SORT k
		COMMAND GETKEYS SORT k STORE d
		COMMAND GETKEYS SORT k STORE d STORE e
		COMMAND GETKEYS SORT k BY store GET store LIMIT store store
		COMMAND GETKEYS SORT k BY x STORE d
		COMMAND GETKEYS SORT_RO k STORE d
		RPUSH huge 1e400
		SORT huge
	`)
}

// Random sorts of many elements are the same.
func TestSortsAreRedis(t *testing.T) {
	p := newPair(t, 2)
	rng := rand.New(rand.NewPCG(3, 51))
	for i := range 400 {
		p.sameArgs("SET", fmt.Sprint("w_", i), strconv.Itoa(rng.IntN(200)))
		if i%3 > 0 {
			p.sameArgs("HSET", fmt.Sprint("h_", i), "f", strconv.Itoa(rng.IntN(100)))
		}
	}
	for range 150 {
		n := 1 + rng.IntN(1<<rng.IntN(9))
		p.sameArgs("DEL", "l", "s", "z")
		for range n {
			m := strconv.Itoa(rng.IntN(400))
			p.sameArgs("RPUSH", "l", m)
			p.sameArgs("SADD", "s", m)
			p.sameArgs("ZADD", "z", strconv.Itoa(rng.IntN(20)), m)
		}
		args := []string{"SORT", []string{"l", "s", "z"}[rng.IntN(3)]}
		limited := rng.IntN(2) == 0
		if limited {
			args = append(args, "LIMIT", strconv.Itoa(rng.IntN(20)-2), strconv.Itoa(rng.IntN(30)-2))
		}
		switch rng.IntN(4) {
		case 0:
			args = append(args, "BY", "w_*")
		case 1:
			args = append(args, "BY", "h_*->f")
		case 2:
			args = append(args, "ALPHA")
		}
		if rng.IntN(2) == 0 {
			args = append(args, "DESC")
		}
		if rng.IntN(3) == 0 {
			args = append(args, "GET", "#", "GET", "w_*", "GET", "h_*->f")
		}
		p.sameArgs(args...)
		p.sameArgs(append(args, "STORE", "d")...)
		p.sameArgs("LRANGE", "d", "0", "-1")
		if t.Failed() {
			t.Fatal("see above")
		}
	}
}

// A cluster has no word for keys that derive from elements.
func TestSortInCluster(t *testing.T) {
	c, run := newRunner(t)
	if err := c.Env.Config.Load([]string{"--cluster-enabled", "yes"}, nil); err != nil {
		t.Fatal(err)
	}
	run("RPUSH", "l", "2", "1")
	for line, want := range map[string]string{
		"SORT l BY w*":         "-ERR BY option of SORT denied in Cluster mode.\r\n",
		"SORT l GET #":         "-ERR GET option of SORT denied in Cluster mode.\r\n",
		"SORT_RO l BY x GET #": "-ERR GET option of SORT denied in Cluster mode.\r\n",
		"SORT_RO l BY x":       "*2\r\n$1\r\n2\r\n$1\r\n1\r\n",
		"SORT l DESC":          "*2\r\n$1\r\n2\r\n$1\r\n1\r\n",
	} {
		if got := run(wordsOf(t, line)...); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}
