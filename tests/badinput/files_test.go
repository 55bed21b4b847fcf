package badinput

import (
	"strings"
	"testing"
	"time"

	"cobble/tests/proc"
	"cobble/tools/respconn"
)

// unlimited is a maxclients that no system has descriptors for: the limit is not raised, whoever runs the test.
const unlimited = "4294967295"

// TestFewFiles starts a server that may have 160 files, of which its store keeps half open, and connects more clients than that: it refuses some, and
// the others' writes reach the store, whose tables are files, too.
func TestFewFiles(t *testing.T) {
	s := wellAfter(t, proc.Start(t, proc.Options{Standalone: true, MostFiles: 160, Args: []string{"--memory-budget", "64mb", "--maxclients", unlimited}}))
	c := s.Conn()
	refused := 0
	var others []*respconn.Conn
	// The server sees only later that they are closed: until then another one is refused.
	defer func() {
		for _, other := range others {
			other.Close()
		}
		proc.Eventually(t, exitTimeout, "a place for another client", func() error {
			_, err := s.Try("PING")
			return err
		})
	}()
	for i := range 150 {
		other, err := respconn.Dial(s.Addr, 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		others = append(others, other)
		switch r, err := other.Do("PING"); {
		case err == nil && r.Text == "PONG":
		case err == nil && strings.Contains(r.Text, "max number of clients reached"):
			refused++
		default:
			t.Fatalf("connection %d: %s, %v", i, r, err)
		}
	}
	if refused == 0 || !strings.Contains(s.Log(), "maxclients has been reduced") {
		t.Errorf("%d of 150 connections were refused; the log says:\n%s", refused, s.Log())
	}
	value := strings.Repeat("v", 1<<20)
	for i := range 100 {
		if r, err := c.Do("SET", "key:"+itoa(i), value); err != nil || r.Text != "OK" {
			t.Fatalf("SET %d: %s, %v", i, r, err)
		}
	}
	if strings.Contains(s.Log(), "too many open files") {
		t.Errorf("the log says:\n%s", s.Log())
	}
}

// TestNoFiles starts servers that may have too few files to serve anybody beside the 64 tables that the store keeps open
// at least.
func TestNoFiles(t *testing.T) {
	for _, most := range []int{40, 100} {
		s := wellAfter(t, proc.Launch(t, proc.Options{Standalone: true, MostFiles: most, Args: []string{"--maxclients", unlimited}}))
		exited(t, s, "is not enough for the server to start")
	}
}
