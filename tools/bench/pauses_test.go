package main

import (
	"bufio"
	"strings"
	"testing"
	"time"
)

// Time for which the control waited as well is not the server's fault.
func TestLongestBesideTheControl(t *testing.T) {
	const ms = int64(time.Millisecond)
	control := []wait{{10 * ms, 15 * ms}, {18 * ms, 30 * ms}}
	for _, x := range []struct {
		long []wait
		want int64
	}{
		{nil, 0},
		{[]wait{{0, 9 * ms}}, 9},
		{[]wait{{0, 12 * ms}}, 10},
		{[]wait{{8 * ms, 40 * ms}, {50 * ms, 51 * ms}}, 15},
		{[]wait{{11 * ms, 14 * ms}}, 0},
	} {
		if got := longestBeside(x.long, control); got != time.Duration(x.want*ms) {
			t.Errorf("%v: %v, not %d ms", x.long, got, x.want)
		}
	}
}

// Replies are read to their end, however they are nested.
func TestDrain(t *testing.T) {
	r := bufio.NewReaderSize(strings.NewReader("*3\r\n$3\r\na\r\n\r\n*2\r\n:1\r\n$-1\r\n*0\r\n+OK\r\n*-1\r\n-ERR no\r\n"), 16)
	for range 3 {
		if err := drain(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := drain(r); err == nil || !strings.Contains(err.Error(), "ERR no") {
		t.Errorf("an error reply is %v", err)
	}
}
