package command

import (
	"testing"

	"cobble/server/config"
	"cobble/storage"
)

// newTestCall returns a Call on an engine of its own and a function that runs one
// command and returns the raw reply.
func newTestCall(t testing.TB) (*Call, func(args ...string) string) {
	return newTestCallOf(t, storage.Options{Dir: t.TempDir()})
}

// newTestCallOf is newTestCall on an engine with options of the test's.
func newTestCallOf(t testing.TB, o storage.Options) (*Call, func(args ...string) string) {
	engine, err := storage.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Close() })
	settings := config.New()
	if err := settings.Load([]string{"--enable-debug-command", "yes"}, nil); err != nil {
		t.Fatal(err)
	}
	env := NewEnv(engine, settings, testProcess())
	c := NewCall(env, &Client{})
	c.Now = 1_700_000_000_000
	return c, func(args ...string) string {
		c.Out.Reset()
		c.Args = c.Args[:0]
		for _, a := range args {
			c.Args = append(c.Args, []byte(a))
		}
		if c.Cmd = env.Table.Find(c.Args[0]); c.Cmd == nil {
			t.Fatalf("no command %q", args[0])
		}
		if err := c.Run(); err != nil {
			c.Out.Error(ErrorText(err))
		}
		return string(c.Out.Bytes())
	}
}

func TestSetThenGet(t *testing.T) {
	_, do := newTestCall(t)
	if got := do("SET", "k", "v"); got != "+OK\r\n" {
		t.Errorf("SET: %q", got)
	}
	if got := do("get", "k"); got != "$1\r\nv\r\n" {
		t.Errorf("GET: %q", got)
	}
	if got := do("get", "none"); got != "$-1\r\n" {
		t.Errorf("GET of no key: %q", got)
	}
}
