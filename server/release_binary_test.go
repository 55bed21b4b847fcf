package server

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"testing"
)

// binaryOf is the beginning of a binary of such a type with such parts.
func binaryOf(t *testing.T, kind elf.Type, programs ...elf.Prog64) *bytes.Reader {
	t.Helper()
	h := elf.Header64{Type: uint16(kind), Phoff: 64, Phentsize: 56, Phnum: uint16(len(programs))}
	copy(h.Ident[:], elf.ELFMAG)
	h.Ident[elf.EI_CLASS], h.Ident[elf.EI_DATA] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB)
	var b bytes.Buffer
	if err := binary.Write(&b, binary.LittleEndian, h); err != nil {
		t.Fatal(err)
	}
	if err := binary.Write(&b, binary.LittleEndian, programs); err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(b.Bytes())
}

// Only what nobody can have written is given back: a page that was would come back as
// it is in the file.
func TestConstantParts(t *testing.T) {
	part := func(kind elf.ProgType, flags elf.ProgFlag, at uint64) elf.Prog64 {
		return elf.Prog64{Type: uint32(kind), Flags: uint32(flags), Vaddr: at, Filesz: 1 << 20}
	}
	code, constants := part(elf.PT_LOAD, elf.PF_R|elf.PF_X, 4<<20), part(elf.PT_LOAD, elf.PF_R, 5<<20)
	data, note := part(elf.PT_LOAD, elf.PF_R|elf.PF_W, 6<<20), part(elf.PT_NOTE, elf.PF_R, 4<<20)
	got := constantParts(binaryOf(t, elf.ET_EXEC, note, code, constants, data))
	if len(got) != 2 || got[0] != code || got[1] != constants {
		t.Errorf("parts of a static binary: %+v", got)
	}
	for name, f := range map[string]*bytes.Reader{
		"that may be anywhere":        binaryOf(t, elf.ET_DYN, code, constants, data),
		"that is linked when started": binaryOf(t, elf.ET_EXEC, part(elf.PT_INTERP, elf.PF_R, 4<<20), code, data),
		"with relocated constants":    binaryOf(t, elf.ET_EXEC, code, constants, data, part(elf.PT_GNU_RELRO, elf.PF_R, 5<<20)),
		"of another system":           bytes.NewReader(make([]byte, 200)),
		"cut short":                   bytes.NewReader([]byte(elf.ELFMAG)),
	} {
		if got := constantParts(f); got != nil {
			t.Errorf("parts of a binary %s: %+v", name, got)
		}
	}
}
