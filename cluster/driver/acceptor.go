package driver

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"

	"cobble/cluster"
	"cobble/cluster/wire"
)

// The acceptor file, version 1. Numbers are big-endian.
//
//	file  = "CACC" version:1 line*
//	line  = length:4 crc:4 update        ; an update of package wire; crc32c of it
//
// It is only ever appended to and synced, and now and then replaced by a
// shorter one. A last line that is incomplete or does not match its checksum
// was never acknowledged to anybody and is cut off. Damage anywhere else means
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
	file    *os.File
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
		rest := b[at:]
		if len(rest) < 8 {
			break
		}
		n := int(binary.BigEndian.Uint32(rest))
		if n > acceptorLineMax {
			return nil, 0, fmt.Errorf("%w: line of %d bytes at %d", errAcceptorDamaged, n, at)
		}
		if len(rest) < 8+n {
			break
		}
		body := rest[8 : 8+n]
		if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(rest[4:]) {
			if at+8+n == len(b) {
				break // the torn last line
			}
			return nil, 0, fmt.Errorf("%w: checksum at %d", errAcceptorDamaged, at)
		}
		u, err := wire.DecodeUpdate(body)
		if err != nil {
			return nil, 0, fmt.Errorf("%w: line at %d: %w", errAcceptorDamaged, at, err)
		}
		updates = append(updates, u)
		at += 8 + n
	}
	return updates, int64(at), nil
}

// openAcceptor opens or creates the file. The state for the machine is nil when
// there was none or it was set aside, and aside then names where it is.
func openAcceptor(path string) (a *acceptorFile, saved *cluster.AcceptorState, aside string, err error) {
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		a, err = createAcceptor(path, nil)
		return a, nil, "", err
	case err != nil:
		return nil, nil, "", err
	}
	updates, whole, err := parseAcceptor(b)
	if errors.Is(err, errAcceptorDamaged) {
		aside = path + ".damaged"
		if err := os.Rename(path, aside); err != nil {
			return nil, nil, "", err
		}
		a, err = createAcceptor(path, nil)
		return a, nil, aside, err
	}
	if err != nil {
		return nil, nil, "", err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0o644)
	if err != nil {
		return nil, nil, "", err
	}
	a = &acceptorFile{path: path, file: f, size: whole, compact: compactMin}
	if whole < int64(len(b)) {
		// Before anything is appended behind it, the torn line must be gone for good.
		err = errors.Join(f.Truncate(whole), f.Sync())
	}
	if err != nil {
		return nil, nil, "", errors.Join(err, f.Close())
	}
	if len(updates) > 0 {
		saved = new(cluster.AcceptorState)
	}
	for _, u := range updates {
		a.state.Apply(u)
		saved.Apply(u)
	}
	return a, saved, "", nil
}

// createAcceptor writes a file with these updates and puts it in place whole.
func createAcceptor(path string, updates []cluster.AcceptorUpdate) (*acceptorFile, error) {
	b := []byte(acceptorMagic)
	for i := range updates {
		b = appendLine(b, &updates[i])
	}
	if err := replaceDurably(realDisk{}, path, b); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	a := &acceptorFile{path: path, file: f, size: int64(len(b)), compact: max(int64(len(b)), compactMin)}
	for _, u := range updates {
		a.state.Apply(u)
	}
	return a, nil
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
	short, err := createAcceptor(a.path, updatesOf(&a.state))
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
