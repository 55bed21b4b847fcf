package cluster

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// ID names a node, a shard or a cluster: 160 bits, printed as 40 hex digits.
type ID [20]byte

// String prints 40 lower-case hex digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// IsZero reports whether id is the zero ID, which names nothing.
func (id ID) IsZero() bool {
	return binary.LittleEndian.Uint64(id[:])|binary.LittleEndian.Uint64(id[8:])|uint64(binary.LittleEndian.Uint32(id[16:])) == 0
}

// Less orders IDs as their hex texts.
func (id ID) Less(o ID) bool { return bytes.Compare(id[:], o[:]) < 0 }

// word returns the first eight bytes, enough to tell most IDs apart.
func (id *ID) word() uint64 { return binary.BigEndian.Uint64(id[:]) }

// ParseID reads 40 hex digits.
func ParseID(text string) (ID, error) {
	var id ID
	if len(text) != 2*len(id) {
		return ID{}, fmt.Errorf("cluster: %q is not a node id of 40 hex digits", text)
	}
	if _, err := hex.Decode(id[:], []byte(text)); err != nil {
		return ID{}, fmt.Errorf("cluster: %q is not a node id of 40 hex digits", text)
	}
	return id, nil
}

// Time is a moment in milliseconds since the Unix epoch, read from a clock
// that never steps back while the process lives (start of process by the wall
// clock plus monotonic time since).
type Time int64

// Duration is a span of Time in milliseconds.
type Duration int64

// After returns the moment d later.
func (t Time) After(d Duration) Time { return t + Time(d) }

// Since returns how long ago past was.
func (t Time) Since(past Time) Duration { return Duration(t - past) }

// Addr is where a node listens. IP is the text to dial and to print; it is
// empty as long as a node does not know its own address.
type Addr struct {
	IP      string
	Port    uint16 // clients
	BusPort uint16 // other nodes: RPC and gossip
}

// Random is a small seeded generator (SplitMix64, Steele et al. 2014). It is
// part of the machine's state, so that a run can be replayed.
type Random struct{ state uint64 }

// NewRandom returns a generator; equal seeds give equal sequences.
func NewRandom(seed uint64) Random { return Random{state: seed} }

// Uint64 returns the next number.
func (r *Random) Uint64() uint64 {
	r.state += 0x9e3779b97f4a7c15
	z := r.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Below returns a number in [0, n); 0 when n ≤ 0.
func (r *Random) Below(n int64) int64 {
	if n <= 0 {
		return 0
	}
	return int64(r.Uint64() % uint64(n))
}

// ID returns a fresh random ID.
func (r *Random) ID() ID {
	var id ID
	for i := 0; i < len(id); i += 4 {
		word := r.Uint64()
		id[i], id[i+1], id[i+2], id[i+3] = byte(word>>24), byte(word>>16), byte(word>>8), byte(word)
	}
	return id
}
