package driver

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"

	"cobble/cluster"
	"cobble/cluster/wire"
)

// The acceptor file, version 1. Numbers are big-endian.
//
//	file  = "CACC" version:1 line*
//	line  = length:4 crc:4 update        ; an update of package wire; crc32c of it
//
// It is only ever appended to and synced, and now and then replaced by a
// shorter one. What a crash leaves of the last line was never acknowledged to
// anybody and is cut off: no whole line follows it. Damage anywhere else means
// forgotten promises: the file is set aside, and the machine starts as a new
// incarnation that has to be admitted to an elector set again.

const (
	acceptorMagic   = "CACC\x01"
	acceptorLineMax = wire.MaxMessage
	compactMin      = 1 << 20 // bytes; a shorter file is never replaced
	compactFactor   = 4       // replaced when that many times longer than after the last time
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errAcceptorDamaged: the file cannot be trusted.
var errAcceptorDamaged = errors.New("driver: the acceptor file is damaged")

// acceptorFile is the elector's memory on disk. One goroutine uses it.
type acceptorFile struct {
	path    string
	disk    fileSystem
	file    journalFile
	size    int64
	compact int64 // size right after the last compaction
	state   cluster.AcceptorState
}

func appendLine(out []byte, u *cluster.AcceptorUpdate) []byte {
	at := len(out)
	out = append(out, 0, 0, 0, 0, 0, 0, 0, 0)
	out = wire.AppendUpdate(out, u)
	body := out[at+8:]
	binary.BigEndian.PutUint32(out[at:], uint32(len(body)))
	binary.BigEndian.PutUint32(out[at+4:], crc32.Checksum(body, castagnoli))
	return out
}

// parseAcceptor reads the content of a file: its updates, and how many bytes of
// it are whole.
func parseAcceptor(b []byte) (updates []cluster.AcceptorUpdate, whole int64, err error) {
	if len(b) < len(acceptorMagic) || string(b[:4]) != acceptorMagic[:4] {
		return nil, 0, fmt.Errorf("%w: not an acceptor file", errAcceptorDamaged)
	}
	if b[4] != acceptorMagic[4] {
		return nil, 0, fmt.Errorf("driver: the acceptor file has format %d, this server reads format %d: start the version that wrote it", b[4], acceptorMagic[4])
	}
	at := len(acceptorMagic)
	for at < len(b) {
		n := wholeLine(b[at:])
		if n == 0 {
			if next := laterLine(b, at+1); next > 0 {
				return nil, 0, fmt.Errorf("%w: at %d, and a whole line follows at %d", errAcceptorDamaged, at, next)
			}
			break
		}
		u, err := wire.DecodeUpdate(b[at+8 : at+n])
		if err != nil {
			return nil, 0, fmt.Errorf("%w: line at %d: %w", errAcceptorDamaged, at, err)
		}
		updates = append(updates, u)
		at += n
	}
	return updates, int64(at), nil
}

// wholeLine returns the length of the whole line that b begins with, or 0. No
// update has no bytes: zeros are no line.
func wholeLine(b []byte) int {
	if len(b) < 8 {
		return 0
	}
	n := uint64(binary.BigEndian.Uint32(b))
	if n == 0 || n > acceptorLineMax || n+8 > uint64(len(b)) || crc32.Checksum(b[8:8+n], castagnoli) != binary.BigEndian.Uint32(b[4:]) {
		return 0
	}
	return int(n) + 8
}

// laterLine looks for a whole line at any byte from at on, and returns where it
// is, or 0.
func laterLine(b []byte, at int) int {
	for ; at+8 <= len(b); at++ {
		if wholeLine(b[at:]) > 0 {
			return at
		}
	}
	return 0
}

// openAcceptor opens or creates the file. The state for the machine is nil when
// there was none or it was set aside, and aside then names where it is.
func openAcceptor(path string, disk fileSystem) (a *acceptorFile, saved *cluster.AcceptorState, aside string, err error) {
	b, err := disk.read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		a, err = createAcceptor(path, disk, nil)
		return a, nil, "", err
	case err != nil:
		return nil, nil, "", err
	}
	updates, whole, err := parseAcceptor(b)
	if errors.Is(err, errAcceptorDamaged) {
		aside = path + ".damaged"
		if err := disk.rename(path, aside); err != nil {
			return nil, nil, "", err
		}
		a, err = createAcceptor(path, disk, nil)
		return a, nil, aside, err
	}
	if err != nil {
		return nil, nil, "", err
	}
	if len(updates) > 0 {
		saved = stateOf(updates)
	}
	if whole < int64(len(b)) {
		// Before anything is appended behind it, the torn line must be gone for good.
		a, err = createAcceptor(path, disk, updates)
		return a, saved, "", err
	}
	file, err := disk.open(path)
	if err != nil {
		return nil, nil, "", err
	}
	return &acceptorFile{path: path, disk: disk, file: file, size: whole, compact: compactMin, state: *stateOf(updates)}, saved, "", nil
}

// stateOf is what updates make out of nothing.
func stateOf(updates []cluster.AcceptorUpdate) *cluster.AcceptorState {
	s := new(cluster.AcceptorState)
	for _, u := range updates {
		s.Apply(u)
	}
	return s
}

// createAcceptor writes a file with these updates and puts it in place whole.
func createAcceptor(path string, disk fileSystem, updates []cluster.AcceptorUpdate) (*acceptorFile, error) {
	b := []byte(acceptorMagic)
	for i := range updates {
		b = appendLine(b, &updates[i])
	}
	if err := replaceDurably(disk, path, b); err != nil {
		return nil, err
	}
	file, err := disk.open(path)
	if err != nil {
		return nil, err
	}
	return &acceptorFile{path: path, disk: disk, file: file, size: int64(len(b)), compact: max(int64(len(b)), compactMin), state: *stateOf(updates)}, nil
}

// append writes the updates and syncs them. After an error the file is not to
// be used again: what reached the disk is unknown.
func (a *acceptorFile) append(updates []cluster.AcceptorUpdate) error {
	var b []byte
	for i := range updates {
		b = appendLine(b, &updates[i])
	}
	if _, err := a.file.WriteAt(b, a.size); err != nil {
		return err
	}
	if err := a.file.Sync(); err != nil {
		return err
	}
	a.size += int64(len(b))
	for _, u := range updates {
		a.state.Apply(u)
	}
	if a.size > compactFactor*a.compact {
		return a.rewrite()
	}
	return nil
}

// rewrite replaces the file by one that says the same in as few lines as possible.
func (a *acceptorFile) rewrite() error {
	short, err := createAcceptor(a.path, a.disk, updatesOf(&a.state))
	if err != nil {
		return err
	}
	_ = a.file.Close()
	*a = *short
	return nil
}

// updatesOf lists the updates that make s out of nothing.
func updatesOf(s *cluster.AcceptorState) []cluster.AcceptorUpdate {
	var out []cluster.AcceptorUpdate
	if s.Incarnation != 0 {
		out = append(out, cluster.AcceptorUpdate{Identity: s.Incarnation})
	}
	if s.Rounds != 0 {
		out = append(out, cluster.AcceptorUpdate{Rounds: s.Rounds})
	}
	for i := range s.Domains {
		d := s.Domains[i]
		registers := d.Registers
		d.Registers = nil
		out = append(out, cluster.AcceptorUpdate{Cluster: d.Cluster, Domain: &d})
		for j := range registers {
			out = append(out, cluster.AcceptorUpdate{Cluster: d.Cluster, Register: &registers[j]})
		}
	}
	return out
}

func (a *acceptorFile) close() error { return a.file.Close() }
