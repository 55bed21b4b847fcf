package differential

import (
	"errors"
	"fmt"
	"net"
	"sort"
	"strings"
	"time"

	"cobble/tools/respconn"
)

// step is one command of a sequence on one of its sessions.
type step struct {
	session int
	args    []string
}

func (s step) String() string {
	words := make([]string, len(s.args))
	for i, a := range s.args {
		words[i] = a
		if a == "" || strings.ContainsFunc(a, func(c rune) bool { return c <= ' ' || c == '"' || c > '~' || c == '\\' }) {
			words[i] = fmt.Sprintf("%q", a)
		}
	}
	return fmt.Sprintf("%d> %s", s.session, strings.Join(words, " "))
}

// difference is where two servers parted.
type difference struct {
	at              int // the step; len(steps) when the data differ after the last one
	step            step
	oracle, subject string
}

func (d *difference) String() string {
	return fmt.Sprintf("%s\n    oracle:  %.2000s\n    subject: %.2000s", d.step, d.oracle, d.subject)
}

// signature is rough: the command, and how the two replies begin.
func (d *difference) signature() string {
	name := strings.ToUpper(strings.Join(d.step.args[:min(1, len(d.step.args))], " "))
	return fmt.Sprintf("%s %.30s %.30s", name, d.oracle, d.subject)
}

// side is one of the two servers.
type side struct {
	addr  string
	conns []*respconn.Conn
}

const replyTimeout = 20 * time.Second

// open gives the side fresh connections and an empty server.
func (s *side) open(sessions, protocol int) error {
	s.close()
	for range max(1, sessions) {
		c, err := respconn.Dial(s.addr, replyTimeout)
		if err != nil {
			return err
		}
		s.conns = append(s.conns, c)
		if protocol == 3 {
			if err := must(c, "HELLO", "3"); err != nil {
				return err
			}
		}
	}
	return s.empty()
}

// empty deletes what is left from the last sequence. That is a handful of keys, where FLUSHALL visits every slot.
func (s *side) empty() error {
	c := s.conns[0]
	r, err := c.Do("KEYS", "*")
	if err != nil {
		return err
	}
	keys, err := r.Strs()
	if err != nil {
		return err
	}
	for _, key := range keys {
		if err := must(c, "DEL", key); err != nil {
			return err
		}
	}
	return nil
}

func (s *side) close() {
	for _, c := range s.conns {
		c.Close()
	}
	s.conns = nil
}

func must(c *respconn.Conn, args ...string) error {
	r, err := c.Do(args...)
	if err == nil {
		err = r.Err()
	}
	if err != nil {
		return fmt.Errorf("%q to %v: %w", args, c.RemoteAddr(), err)
	}
	return nil
}

// pair runs the same steps on both.
type pair struct {
	oracle, subject side
	seen            map[string]int // known differences that were met, by name
	reported        map[string]bool
}

// closed stands for the reply of a server that hung up.
func closed(err error) reply {
	return reply{Kind: respconn.Error, Text: "(connection lost: " + err.Error() + ")"}
}

// run gives the first difference, or nil. The error is of the test's own doing: a server that cannot be reached.
func (p *pair) run(steps []step, protocol int) (*difference, error) {
	sessions := 1
	for _, s := range steps {
		sessions = max(sessions, s.session+1)
	}
	for _, s := range []*side{&p.oracle, &p.subject} {
		if err := s.open(sessions, protocol); err != nil {
			return nil, err
		}
	}
	queued := make([][][]string, sessions)
	inMulti := make([]bool, sessions)
	for i, s := range steps {
		oracle, errO := ask(p.oracle.conns[s.session], s.args, inMulti[s.session])
		subject, errS := ask(p.subject.conns[s.session], s.args, inMulti[s.session])
		if errO != nil {
			oracle = closed(errO)
		}
		if errS != nil {
			subject = closed(errS)
		}
		if (errO != nil) != (errS != nil) || errO == nil && !p.agree(s.args, queued[s.session], oracle, subject) {
			return &difference{at: i, step: s, oracle: oracle.String(), subject: subject.String()}, nil
		}
		if errO != nil {
			var ne net.Error
			if errors.As(errO, &ne) && ne.Timeout() {
				return nil, fmt.Errorf("the oracle did not answer %s: it is unfit for comparison", s)
			}
			return nil, nil // both hung up: there is nothing more to compare
		}
		switch name := strings.ToUpper(s.args[0]); {
		case oracle.Text == "QUEUED" && inMulti[s.session]:
			queued[s.session] = append(queued[s.session], s.args)
		case name == "MULTI" && oracle.Err() == nil:
			inMulti[s.session] = true
		case inMulti[s.session] && oracle.Err() != nil && name != "EXEC" && name != "DISCARD":
		case name == "EXEC", name == "DISCARD", name == "RESET":
			inMulti[s.session], queued[s.session] = false, nil
		}
	}
	return p.compareData(len(steps))
}

func (p *pair) agree(args []string, queued [][]string, oracle, subject reply) bool {
	if same(args, queued, oracle, subject) {
		return true
	}
	k := knownDifference(args, oracle, subject)
	if k == nil {
		return false
	}
	if p.seen == nil {
		p.seen = map[string]int{}
	}
	p.seen[k.name]++
	return true
}

// ask sends one command; an iteration that a command begins is followed to its end, and the pages are joined.
func ask(c *respconn.Conn, args []string, inMulti bool) (reply, error) {
	r, err := c.Do(args...)
	cursor, ok := paged(args)
	if err != nil || !ok || inMulti {
		return r, err
	}
	whole := r
	for pages := 1; len(r.Elems) == 2 && r.Elems[0].Text != "0"; pages++ {
		if pages > 10000 {
			return reply{Kind: respconn.Error, Text: "(an iteration without an end)"}, nil
		}
		next := append([]string(nil), args...)
		next[cursor] = r.Elems[0].Text
		if r, err = c.Do(next...); err != nil {
			return r, err
		}
		if len(r.Elems) != 2 {
			return r, nil
		}
		whole.Elems[0] = r.Elems[0]
		whole.Elems[1].Elems = append(whole.Elems[1].Elems, r.Elems[1].Elems...)
	}
	return whole, nil
}

// compareData looks at every key on both sides: a write that went wrong may have been answered right.
func (p *pair) compareData(at int) (*difference, error) {
	for _, s := range []*side{&p.oracle, &p.subject} {
		c, err := respconn.Dial(s.addr, replyTimeout)
		if err != nil {
			return nil, err
		}
		for _, old := range s.conns {
			old.Close()
		}
		s.conns = []*respconn.Conn{c}
	}
	differs := func(args ...string) (*difference, reply, error) {
		oracle, err := p.oracle.conns[0].Do(args...)
		if err != nil {
			return nil, oracle, err
		}
		subject, err := p.subject.conns[0].Do(args...)
		if err != nil {
			subject = closed(err)
		}
		if err == nil && p.agree(args, nil, oracle, subject) {
			return nil, oracle, nil
		}
		return &difference{at: at, step: step{args: args}, oracle: oracle.String(), subject: subject.String()}, oracle, nil
	}
	d, keys, err := differs("KEYS", "*")
	if d != nil || err != nil {
		return d, err
	}
	names, err := keys.Strs()
	if err != nil {
		return nil, err
	}
	sort.Strings(names)
	for _, key := range names {
		d, kind, err := differs("TYPE", key)
		if d != nil || err != nil {
			return d, err
		}
		looks := [][]string{{"PTTL", key}, {"OBJECT", "ENCODING", key}}
		switch kind.Text {
		case "string":
			looks = append(looks, []string{"GET", key})
		case "hash":
			looks = append(looks, []string{"HGETALL", key}, []string{"HLEN", key})
		case "set":
			looks = append(looks, []string{"SMEMBERS", key}, []string{"SCARD", key})
		}
		for _, args := range looks {
			if d, _, err := differs(args...); d != nil || err != nil {
				return d, err
			}
		}
	}
	return nil, nil
}
