package command

import (
	"fmt"
	"testing"
)

// heldMail tells what goes wrong with the message to a client that caches a key: it comes behind the reply that said what
// the key holds, and once.
func heldMail(t *testing.T, plant func(reader *Call)) string {
	writer, _ := newTestCall(t)
	reader := NewCall(writer.Env, &Client{})
	writer.Env.Clients.Add(reader.Client, writer.Env)
	plant(reader)
	do := func(c *Call, args ...string) {
		t.Helper()
		split := make([][]byte, len(args))
		for i := range args {
			split[i] = []byte(args[i])
		}
		c.Out.Reset()
		c.Now = 1_700_000_000_000
		c.Execute(split)
	}
	do(reader, "HELLO", "3")
	do(reader, "CLIENT", "TRACKING", "ON")
	reader.Client.ReleaseMail()
	for _, key := range []string{"k", "other"} {
		do(reader, "GET", key)
		do(writer, "SET", key, "1")
		if mail := reader.Client.TakeMail(); mail != nil {
			return "before the reply: " + string(mail)
		}
		reader.Client.ReleaseMail() // the reply is sent
		want := ">2\r\n$10\r\ninvalidate\r\n*1\r\n" + fmt.Sprintf("$%d\r\n%s\r\n", len(key), key)
		if mail := string(reader.Client.TakeMail()); mail != want {
			return "behind the reply: " + mail
		}
		do(writer, "SET", key, "2")
		if mail := reader.Client.TakeMail(); mail != nil {
			return "of a key that is not cached any more: " + string(mail)
		}
	}
	return ""
}

func TestInvalidationsComeBehindTheReply(t *testing.T) {
	if wrong := heldMail(t, func(*Call) {}); wrong != "" {
		t.Error(wrong)
	}
}

// TestMailMutants takes away one rule of messages at a time.
func TestMailMutants(t *testing.T) {
	for name, plant := range map[string]func(reader *Call){
		"no reply comes first":         func(c *Call) { c.Client.box.mutant.unheld = true },
		"what is held back is lost":    func(c *Call) { c.Client.box.mutant.dropped = true },
		"a key that was told of stays": func(c *Call) { c.Env.Tracking.keysStay = true },
	} {
		wrong := heldMail(t, plant)
		if wrong == "" {
			t.Errorf("%s: nobody noticed", name)
		}
		t.Logf("%s: %q", name, wrong)
	}
}
