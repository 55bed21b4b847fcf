package storage

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestShared: shared values survive a restart from the log, from the store and from both, and a replica has them.
func TestShared(t *testing.T) {
	fs := vfs.NewMem()
	e := openTest(t, smallOptions(fs))
	set := func(name string, value []byte) {
		t.Helper()
		if _, err := e.SetShared(testNow, name, value); err != nil {
			t.Fatal(err)
		}
	}
	check := func(name, want string) {
		t.Helper()
		if got := string(e.Shared(name)); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	reopen := func() {
		t.Helper()
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		e = openTest(t, smallOptions(fs))
	}
	set("a", []byte("1"))
	set("b", []byte("2"))
	reopen()
	check("a", "1")
	if err := e.Flush(); err != nil {
		t.Fatal(err)
	}
	set("a", nil)
	set("c", []byte("3"))
	check("a", "")
	reopen()
	check("a", "")
	check("b", "2")
	check("c", "3")
	version := e.SharedVersion()
	e.SetFollower(true)
	if _, err := e.SetShared(testNow, "d", []byte("4")); err != ErrFollower {
		t.Errorf("a replica took a value: %v", err)
	}
	if e.SharedVersion() != version {
		t.Error("the version changed with nothing")
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}
