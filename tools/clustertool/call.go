package clustertool

import (
	"errors"
	"flag"
	"fmt"
)

func callFlags(t *tool, fs *flag.FlagSet) {
	fs.BoolVar(&t.onlyPrimary, "only-primaries", false, "leave replicas out")
	fs.BoolVar(&t.onlyPrimary, "only-masters", false, "the same as --only-primaries")
}

// call sends a command to every node. What the command does is the caller's business: there is no plan to confirm.
func call(t *tool, args []string) (any, error) {
	c, err := t.load(args[0])
	if err != nil {
		return nil, err
	}
	peers := c.peers
	if t.onlyPrimary {
		peers = c.primaries()
	}
	type answer struct {
		Addr  string `json:"addr"`
		Reply string `json:"reply,omitempty"`
		Error string `json:"error,omitempty"`
	}
	var all []answer
	failed := 0
	for _, p := range peers {
		r, err := p.do(args[1:]...)
		a := answer{Addr: p.addr}
		if err != nil {
			failed++
			a.Error = err.Error()
			var e *replyError
			if errors.As(err, &e) {
				a.Error = string(e.reply)
			}
			t.say("%s: (error) %s", p.addr, a.Error)
		} else {
			a.Reply = r.String()
			if s, err := r.Str(); err == nil {
				a.Reply = s
			}
			t.say("%s: %s", p.addr, a.Reply)
		}
		all = append(all, a)
	}
	failed += len(c.unreachable)
	for _, u := range c.unreachable {
		t.say("%s", u)
	}
	if failed > 0 {
		return all, fmt.Errorf("it failed on %d nodes", failed)
	}
	return all, nil
}
