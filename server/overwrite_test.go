package server

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// hotKeys are few, so that nearly every SET meets a row that has just been changed.
const hotKeys = 8

func hotKey(i int) string { return "hot:" + strconv.Itoa(i%hotKeys) }

// TestHotKeysWhileOthersBeginToListen: clients SET the same few keys, and add to the same few counters, in pipelines, while
// others begin and end to watch them, to cache them and to hear of events, and generations are flushed. Replies come in
// order and no write is lost; EXEC fails whenever a watched key has changed; no cache keeps what is old; a change that is
// made with events on is told.
func TestHotKeysWhileOthersBeginToListen(t *testing.T) {
	n := start(t, "--event-loop", "yes")
	var writers sync.WaitGroup
	var stop atomic.Bool
	var written atomic.Int64
	for w := range hotWriters {
		c := n.dial()
		writers.Go(func() {
			for round := 0; !stop.Load() && setInPipeline(c, w, round); round++ {
				written.Add(1)
			}
		})
	}
	l := &listener{t: t, n: n, c: n.dial(), caching: n.dial(), events: n.dial()}
	l.events.want("SUBSCRIBE __keyevent@0__:set", "*3\r\n$9\r\nsubscribe\r\n$18\r\n__keyevent@0__:set\r\n:1\r\n")
	turns := 5
	if raceEnabled {
		turns = 3
	}
	for turn := range turns {
		for _, listen := range []func(int){l.compareAndSet, l.cache, l.hearEvents, l.flush} {
			listen(turn)
			goal := written.Load() + 6 // nobody listens
			eventually(t, "writers go on", func() bool { return written.Load() >= goal || t.Failed() })
		}
	}
	stop.Store(true)
	writers.Wait()
	for i := range hotKeys {
		want := fmt.Sprint(written.Load() * hotDepth / hotKeys * 3)
		l.c.want("GET count:"+strconv.Itoa(i), fmt.Sprintf("$%d\r\n%s\r\n", len(want), want))
	}
}

const hotWriters = 3

// hotDepth is how often a pipeline of setInPipeline does what it does: a multiple of hotKeys.
const hotDepth = 24

// setInPipeline sets a key of its own and the hot ones, and adds 3 to the counters. Its own has what it set last, whenever it
// looks, and no counter becomes less but for what each writer is about to take back.
func setInPipeline(c *client, w, round int) bool {
	var b []byte
	mine := fmt.Sprintf("mine:%d", w)
	var counts [hotKeys]int64
	for i := range hotDepth {
		b = appendCommand(b, "SET", hotKey(i+w), fmt.Sprintf("%d:%08d", w, round*hotDepth+i))
		b = appendCommand(b, "SET", mine, fmt.Sprintf("%08d", round*hotDepth+i))
		b = appendCommand(b, "GET", mine)
		b = appendCommand(b, "INCRBY", "count:"+strconv.Itoa(i%hotKeys), "5")
		b = appendCommand(b, "DECRBY", "count:"+strconv.Itoa(i%hotKeys), "2")
	}
	if _, err := c.Write(b); err != nil {
		c.t.Error(err)
		return false
	}
	for i := range hotDepth {
		got := c.reply() + c.reply() + c.reply()
		if want := fmt.Sprintf("+OK\r\n+OK\r\n$8\r\n%08d\r\n", round*hotDepth+i); got != want {
			c.t.Errorf("writer %d: %q, want %q", w, got, want)
			return false
		}
		for range 2 {
			got := c.reply()
			n, err := strconv.ParseInt(strings.Trim(got, ":\r\n"), 10, 64)
			if err != nil || n < counts[i%hotKeys]-2*hotWriters {
				c.t.Errorf("writer %d: a counter was %d, then %q", w, counts[i%hotKeys], got)
				return false
			}
			counts[i%hotKeys] = n
		}
	}
	return true
}

func appendCommand(b []byte, words ...string) []byte {
	b = fmt.Appendf(b, "*%d\r\n", len(words))
	for _, w := range words {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(w), w)
	}
	return b
}

// listener begins and ends to listen, in one way after the other.
type listener struct {
	t                  *testing.T
	n                  *running
	c, caching, events *client
}

// setOften sets a key so often that the last SETs are made in place: nobody listens.
func (l *listener) setOften(key, value string) {
	const often = 150
	var b []byte
	for range often {
		b = appendCommand(b, "SET", key, value)
	}
	l.c.send(string(b))
	for range often {
		if got := l.c.reply(); got != "+OK\r\n" {
			l.t.Fatalf("SET: %q", got)
		}
	}
}

// compareAndSet changes keys if they are still as they were read: what EXEC reads must be that.
func (l *listener) compareAndSet(turn int) {
	c := l.c
	for i := range 2*hotKeys + 1 {
		key := hotKey(i)
		if i == 2*hotKeys {
			key = "quiet" // nobody else sets it
		}
		c.want("WATCH "+key, "+OK\r\n")
		was := c.do("GET " + key)
		if i%2 == 0 {
			c.want("PING", "+PONG\r\n") // a little later
		}
		c.want("MULTI", "+OK\r\n")
		c.want("GET "+key, "+QUEUED\r\n")
		c.want(fmt.Sprintf("SET %s 7:%08d", key, turn), "+QUEUED\r\n")
		switch got := c.do("EXEC"); got {
		case "*2\r\n" + was + "+OK\r\n":
		default:
			if got == "*-1\r\n" && key != "quiet" {
				break
			}
			l.t.Errorf("EXEC replied %q after the key was %q", got, was)
			return
		}
	}
}

// cache begins to cache keys, which are then set, and hears of each.
func (l *listener) cache(turn int) {
	c := l.caching
	if turn == 0 {
		c.do("HELLO 3")
	}
	value := fmt.Sprintf("%08d", turn)
	for i := range 4 {
		l.setOften(fmt.Sprintf("cached:%d", i), fmt.Sprintf("before%d", turn%10))
	}
	c.want("CLIENT TRACKING ON", "+OK\r\n")
	for i := range 4 {
		key := fmt.Sprintf("cached:%d", i)
		c.want("GET "+key, fmt.Sprintf("$7\r\nbefore%d\r\n", turn%10))
		l.c.want("SET "+key+" "+value[1:], "+OK\r\n")
		told := fmt.Sprintf(">2\r\n$10\r\ninvalidate\r\n*1\r\n$8\r\n%s\r\n", key)
		if got := c.reply(); got != told {
			l.t.Errorf("%s was changed, and its reader told %q", key, got)
		}
	}
	c.want("CLIENT TRACKING OFF", "+OK\r\n")
}

// hearEvents switches events on and off again. A SET behind that is told.
func (l *listener) hearEvents(turn int) {
	key := fmt.Sprintf("probe:%d", turn%2)
	l.setOften(key, "off")
	l.c.want("CONFIG SET notify-keyspace-events E$", "+OK\r\n")
	l.c.want("SET "+key+" yes", "+OK\r\n")
	l.c.send(string(appendCommand(nil, "CONFIG", "SET", "notify-keyspace-events", "")))
	if got := l.c.reply(); got != "+OK\r\n" {
		l.t.Errorf("CONFIG SET: %q", got)
	}
	want := fmt.Sprintf("*3\r\n$7\r\nmessage\r\n$18\r\n__keyevent@0__:set\r\n$7\r\n%s\r\n", key)
	for deadline := time.Now().Add(time.Minute); ; {
		switch got := l.events.reply(); {
		case got == want:
			return
		case !strings.HasPrefix(got, "*3\r\n$7\r\nmessage") || time.Now().After(deadline):
			l.t.Fatalf("SET of %s with events on was not told: %q", key, got)
		}
	}
}

func (l *listener) flush(int) {
	if err := l.n.env.Engine.Flush(); err != nil {
		l.t.Error(err)
	}
}
