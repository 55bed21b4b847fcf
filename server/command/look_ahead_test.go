package command

import (
	"strconv"
	"testing"
)

// A session that has run a command of very many keys holds no room for their positions afterwards.
func TestPositionsOfManyKeysAreForgotten(t *testing.T) {
	c, do := newTestCall(t)
	args := []string{"EXISTS"}
	for i := range 4 * keepKeys {
		args = append(args, "{k}"+strconv.Itoa(i))
	}
	if got := do(args...); got != ":0\r\n" {
		t.Fatalf("%q", got)
	}
	if cap(c.keys) < 4*keepKeys {
		t.Fatalf("there was room for %d keys only", cap(c.keys))
	}
	if c.Look(); cap(c.keys) > keepKeys {
		t.Errorf("an idle session has room for %d keys", cap(c.keys))
	}
	if do("EXISTS", "k"); cap(c.keys) == 0 {
		t.Fatal("no room was made")
	}
	if c.Look(); cap(c.keys) == 0 {
		t.Error("the room of a small command is not kept")
	}
}
