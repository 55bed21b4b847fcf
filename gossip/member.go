package gossip

import (
	"fmt"
	"strconv"
	"strings"
)

// Member names one boot of one node. Its text form, "<40 hex>.<boot>", is the
// memberlist name: a restarted, moved or reset node is a new member, so it
// never has to fight its own ghost for a name.
type Member struct {
	ID   string // 40 lower-case hex digits
	Boot uint64 // grows with every start and every reset of the node
}

// String is the memberlist name.
func (m Member) String() string { return m.ID + "." + strconv.FormatUint(m.Boot, 10) }

// ParseMember reads what String wrote.
func ParseMember(name string) (Member, error) {
	id, boot, ok := strings.Cut(name, ".")
	if !ok || !isNodeID(id) {
		return Member{}, fmt.Errorf("gossip: bad member name %q", name)
	}
	n, err := strconv.ParseUint(boot, 10, 64)
	if err != nil || strconv.FormatUint(n, 10) != boot {
		return Member{}, fmt.Errorf("gossip: bad boot counter in member name %q", name)
	}
	return Member{ID: id, Boot: n}, nil
}

func isNodeID(s string) bool {
	if len(s) != 40 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
