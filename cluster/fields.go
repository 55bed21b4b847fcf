package cluster

import (
	"fmt"
	"strconv"
	"strings"

	"cobble/slots"
)

// fields reads the words of one line and keeps the first error.
type fields struct {
	words []string
	err   error
}

func (p *fields) fail(what string) {
	if p.err == nil {
		p.err = fmt.Errorf("bad %s", what)
	}
}

func (p *fields) want(words []string, count int) {
	p.words = words
	if len(words) != count {
		p.fail(fmt.Sprintf("number of words %d, want %d", len(words), count))
	}
}

// word returns a word of the line, empty if there is none.
func (p *fields) word(at int) string {
	if at < len(p.words) {
		return p.words[at]
	}
	return ""
}

func (p *fields) uint(at, bits int) uint64 {
	n, err := strconv.ParseUint(p.word(at), 10, bits)
	if err != nil {
		p.fail("number " + strconv.Quote(p.word(at)))
	}
	return n
}

func (p *fields) id(at int) ID {
	id, err := ParseID(p.word(at))
	if err != nil {
		p.fail("id " + strconv.Quote(p.word(at)))
	}
	return id
}

func (p *fields) dashID(at int) ID {
	if p.word(at) == "-" {
		return ID{}
	}
	return p.id(at)
}

// addr reads ip:port@bus[,hostname]; the ip may be empty and may hold colons.
func (p *fields) addr(at int, r *Record) {
	place, host, _ := strings.Cut(p.word(at), ",")
	place, bus, found := strings.Cut(place, "@")
	colon := strings.LastIndexByte(place, ':')
	if !found || colon < 0 {
		p.fail("address " + strconv.Quote(p.word(at)))
		return
	}
	port, err := strconv.ParseUint(place[colon+1:], 10, 16)
	busPort, err2 := strconv.ParseUint(bus, 10, 16)
	if err != nil || err2 != nil {
		p.fail("address " + strconv.Quote(p.word(at)))
		return
	}
	r.Addr = Addr{IP: place[:colon], Port: uint16(port), BusPort: uint16(busPort)}
	r.Hostname = host
}

func (p *fields) slots(at int) *slots.Set {
	if p.word(at) == "-" {
		return nil
	}
	set := new(slots.Set)
	for _, word := range strings.Split(p.word(at), ",") {
		r, err := slots.ParseRange(word)
		if err != nil {
			p.fail("slots " + strconv.Quote(word))
			return nil
		}
		set.AddRange(r)
	}
	return set
}

func (p *fields) members(at int) []Member {
	if p.word(at) == "-" {
		return nil
	}
	var members []Member
	for _, word := range strings.Split(p.word(at), ",") {
		name, inc, _ := strings.Cut(word, ":")
		id, err := ParseID(name)
		number, err2 := strconv.ParseUint(inc, 10, 64)
		if err != nil || err2 != nil {
			p.fail("elector " + strconv.Quote(word))
			return nil
		}
		members = append(members, Member{id, number})
	}
	return members
}
