package differential

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"cobble/tools/respconn"
)

// step is one command of a sequence on one of its sessions.
type step struct {
	session int
	args    []string
	// lapse makes both servers sleep for longer than the lifetimes that the command may have given.
	lapse bool
}

func (s step) String() string {
	words := make([]string, len(s.args))
	for i, a := range s.args {
		words[i] = a
		if a == "" || strings.ContainsFunc(a, func(c rune) bool { return c <= ' ' || c == '"' || c > '~' || c == '\\' }) {
			words[i] = fmt.Sprintf("%q", a)
		}
	}
	text := fmt.Sprintf("%d> %s", s.session, strings.Join(words, " "))
	if s.lapse {
		text += "   (and some milliseconds pass)"
	}
	return text
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

// pair runs the same steps on both.
type pair struct {
	oracle, subject side
	setup           [][]string     // runs before each sequence
	seen            map[string]int // known differences that were met, by name
	tally           *tally         // counts what is run, if not nil
	parted          bool           // a known difference has made the data differ
	lapses          bool           // keys may have lapsed that nobody looked at
	carries         bool           // values are carried over to the other server in the end
}

// closed stands for the reply of a server that hung up.
func closed(err error) reply {
	return reply{Kind: respconn.Error, Text: "(connection lost: " + err.Error() + ")"}
}

// progress is what is known of the sessions of a running sequence.
type progress struct {
	protocol int
	queued   [][][]string // by session, what is queued in MULTI
	inMulti  []bool
}

// Limits of what is sent before replies are read: what a server writes meanwhile has room in the sockets.
const (
	batchSteps = 64
	batchBytes = 16 << 10
)

// run gives the first difference, or nil. The error is of the test's own doing: a server that cannot be reached.
func (p *pair) run(steps []step, protocol int) (*difference, error) {
	sessions := 1
	for _, s := range steps {
		sessions = max(sessions, s.session+1)
	}
	for _, s := range []*side{&p.oracle, &p.subject} {
		if err := s.open(sessions, protocol, p.setup); err != nil {
			return nil, err
		}
	}
	p.parted = false
	g := &progress{protocol: protocol, queued: make([][][]string, sessions), inMulti: make([]bool, sessions)}
	for at := 0; at < len(steps); {
		end := batchEnd(steps, at)
		d, over, err := p.batch(g, steps, at, end)
		if d != nil || over || err != nil {
			p.oracle.broken, p.subject.broken = true, true
			return d, err
		}
		at = end
	}
	return p.compareData(len(steps))
}

// batchEnd finds the steps that can be sent before the first reply is read: on one session, up to one whose reply
// decides what comes next.
func batchEnd(steps []step, at int) int {
	size := 0
	for end := at; end < len(steps); end++ {
		s := steps[end]
		for _, a := range s.args {
			size += len(a)
		}
		if s.session != steps[at].session || end-at >= batchSteps || end > at && size > batchBytes {
			return end
		}
		if _, ok := paged(s.args); ok {
			return end + 1
		}
	}
	return len(steps)
}

var sleep = []string{"DEBUG", "SLEEP", "0.004"}

// batch sends steps to both servers, and compares replies when both are at work on the rest. Over says that both hung
// up: there is nothing more to compare.
func (p *pair) batch(g *progress, steps []step, at, end int) (d *difference, over bool, err error) {
	session := steps[at].session
	oracle, subject := p.oracle.conns[session], p.subject.conns[session]
	for _, c := range []*respconn.Conn{oracle, subject} {
		for _, s := range steps[at:end] {
			c.Send(s.args...)
			if s.lapse {
				c.Send(sleep...)
			}
		}
		if err := c.Flush(); err != nil {
			continue // which shows when a reply is missing
		}
	}
	for i := at; i < end; i++ {
		if d, over, err = p.judge(g, steps[i], oracle, subject); d != nil || over || err != nil {
			if d != nil {
				d.at = i
			}
			return d, over, err
		}
		if steps[i].lapse {
			for _, s := range []*side{&p.oracle, &p.subject} {
				if s.raw, err = s.conns[session].ReceiveRaw(s.raw[:0]); err != nil {
					return nil, false, err
				}
			}
		}
	}
	return nil, false, nil
}

// judge reads the replies to one step and compares them.
func (p *pair) judge(g *progress, s step, oracle, subject *respconn.Conn) (d *difference, over bool, err error) {
	var errO, errS error
	p.oracle.raw, errO = oracle.ReceiveRaw(p.oracle.raw[:0])
	p.subject.raw, errS = subject.ReceiveRaw(p.subject.raw[:0])
	cursor, isPaged := paged(s.args)
	isPaged = isPaged && !g.inMulti[s.session]
	if errO == nil && errS == nil && !isPaged && bytes.Equal(p.oracle.raw, p.subject.raw) {
		p.note(g, s, p.oracle.raw)
		return nil, false, nil
	}
	a, errO := whole(oracle, s.args, cursor, isPaged, p.oracle.raw, errO)
	b, errS := whole(subject, s.args, cursor, isPaged, p.subject.raw, errS)
	if (errO != nil) != (errS != nil) || errO == nil && !p.agree(s.args, g.queued[s.session], a, b) {
		return &difference{step: s, oracle: a.String(), subject: b.String()}, false, nil
	}
	if errO != nil {
		var ne net.Error
		if errors.As(errO, &ne) && ne.Timeout() {
			return nil, false, fmt.Errorf("the oracle did not answer %s: it is unfit for comparison", s)
		}
		return nil, true, nil
	}
	p.note(g, s, p.oracle.raw)
	return nil, p.parted, nil
}

// whole reads a reply from its bytes. An iteration that the command begins is followed to its end, and the pages joined.
func whole(c *respconn.Conn, args []string, cursor int, isPaged bool, raw []byte, err error) (reply, error) {
	if err != nil {
		return closed(err), err
	}
	r, err := respconn.Read(bufio.NewReader(bytes.NewReader(raw)))
	if err != nil {
		return closed(err), err
	}
	if isPaged {
		return follow(c, args, cursor, r)
	}
	return r, nil
}

func follow(c *respconn.Conn, args []string, cursor int, r reply) (reply, error) {
	all := r
	for pages := 1; len(r.Elems) == 2 && r.Elems[0].Text != "0"; pages++ {
		if pages > 10000 {
			return reply{Kind: respconn.Error, Text: "(an iteration without an end)"}, nil
		}
		next := append([]string(nil), args...)
		next[cursor] = r.Elems[0].Text
		var err error
		if r, err = c.Do(next...); err != nil {
			return closed(err), err
		}
		if len(r.Elems) != 2 {
			return r, nil
		}
		all.Elems[0] = r.Elems[0]
		all.Elems[1].Elems = append(all.Elems[1].Elems, r.Elems[1].Elems...)
	}
	return all, nil
}

// note follows MULTI, and counts.
func (p *pair) note(g *progress, s step, raw []byte) {
	failed := raw[0] == '-'
	if p.tally != nil {
		p.tally.add(s.args, g.protocol, failed)
	}
	n := s.session
	switch name := strings.ToUpper(s.args[0]); {
	case g.inMulti[n] && string(raw) == "+QUEUED\r\n":
		g.queued[n] = append(g.queued[n], s.args)
	case name == "MULTI" && !failed:
		g.inMulti[n] = true
	case g.inMulti[n] && failed && name != "EXEC" && name != "DISCARD":
	case name == "EXEC", name == "DISCARD", name == "RESET":
		g.inMulti[n], g.queued[n] = false, nil
	}
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
	p.parted = p.parted || k.ends
	return true
}

const replyTimeout = 20 * time.Second
