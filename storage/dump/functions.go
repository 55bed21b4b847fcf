package dump

// The payload of FUNCTION DUMP: for each library an opcode and its code, then the footer that every payload has.

const opFunction = 245 // RDB_OPCODE_FUNCTION2

// AppendFunctions appends the payload of libraries' codes.
func AppendFunctions(dst []byte, codes []string) []byte {
	start := len(dst)
	for _, code := range codes {
		dst = AppendString(append(dst, opFunction), []byte(code))
	}
	return Seal(dst, start)
}

// DecodeFunctions returns the codes in such a payload; errors as Decode's.
func DecodeFunctions(payload []byte) (codes [][]byte, err error) {
	body, err := open(payload)
	if err == ErrFormat { // the footer is right and nothing stands before it: no library
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	r := reader{rest: body}
	for !r.bad && len(r.rest) > 0 {
		if r.byte() != opFunction {
			return nil, ErrFormat
		}
		codes = append(codes, r.string())
	}
	if r.bad {
		return nil, ErrFormat
	}
	return codes, nil
}
