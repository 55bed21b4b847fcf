package format

import "encoding/binary"

// Payloads of the two records that replace slots whole:
//
//	excise = version(1) ranges                    kind X: the slots become empty
//	import = version(1) ranges n(uvarint) name*   kind I: they become what the
//	                                              side files say
//	ranges = n(uvarint), then each: first(2) last(2), ascending, big endian
//	name   = length(uvarint), bytes: a file name without directory
//
// The counters of imported slots are the record's deltas, which are absolute there.

// SlotRange is first ≤ slot ≤ last.
type SlotRange struct{ First, Last uint16 }

// Barrier is a decoded payload of an excise (no files) or import record.
type Barrier struct {
	Ranges []SlotRange
	Files  []string
}

// Each calls f for every slot.
func (b *Barrier) Each(f func(slot uint16)) {
	for _, r := range b.Ranges {
		for s := int(r.First); s <= int(r.Last); s++ {
			f(uint16(s))
		}
	}
}

// AppendExcise appends an excise payload.
func AppendExcise(dst []byte, ranges []SlotRange) []byte {
	dst = binary.AppendUvarint(append(dst, Version), uint64(len(ranges)))
	for _, r := range ranges {
		dst = binary.BigEndian.AppendUint16(dst, r.First)
		dst = binary.BigEndian.AppendUint16(dst, r.Last)
	}
	return dst
}

// AppendImport appends an import payload.
func AppendImport(dst []byte, ranges []SlotRange, files []string) []byte {
	dst = binary.AppendUvarint(AppendExcise(dst, ranges), uint64(len(files)))
	for _, name := range files {
		dst = appendBytes(dst, []byte(name))
	}
	return dst
}

// DecodeBarrier reads a payload of the kind that files tells.
func DecodeBarrier(b []byte, files bool) (Barrier, error) {
	var out Barrier
	if len(b) == 0 || b[0] != Version {
		return out, ErrCorrupt
	}
	b = b[1:]
	n, w := binary.Uvarint(b)
	if w <= 0 || n > uint64(len(b)-w)/4 {
		return out, ErrCorrupt
	}
	b = b[w:]
	next := 0
	for range n {
		r := SlotRange{binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])}
		if int(r.First) < next || r.Last < r.First || r.Last >= 16384 {
			return out, ErrCorrupt
		}
		next = int(r.Last) + 1
		out.Ranges = append(out.Ranges, r)
		b = b[4:]
	}
	if files {
		n, w = binary.Uvarint(b)
		if w <= 0 || n > uint64(len(b)) {
			return out, ErrCorrupt
		}
		b = b[w:]
		for range n {
			l, w := binary.Uvarint(b)
			if w <= 0 || l > uint64(len(b)-w) {
				return out, ErrCorrupt
			}
			name := string(b[w : w+int(l)])
			if name == "" || name == "." || name == ".." || hasSlash(name) {
				return out, ErrCorrupt
			}
			out.Files = append(out.Files, name)
			b = b[w+int(l):]
		}
	}
	if len(b) != 0 {
		return out, ErrCorrupt
	}
	return out, nil
}

func hasSlash(s string) bool {
	for i := range len(s) {
		if s[i] == '/' || s[i] == '\\' || s[i] == 0 {
			return true
		}
	}
	return false
}
