package storage

import "errors"

// Errors that a transaction reports to the command that ran it. The server turns
// them into Redis's words.
var (
	ErrWrongType   = errors.New("storage: the key holds another type")
	ErrNotInteger  = errors.New("storage: the value is not an integer or out of range")
	ErrNotFloat    = errors.New("storage: the value is not a valid float")
	ErrOverflow    = errors.New("storage: increment or decrement would overflow")
	ErrNaN         = errors.New("storage: increment would produce NaN or infinity")
	ErrTooLarge    = errors.New("storage: the value exceeds the largest allowed size")
	ErrRecordLimit = errors.New("storage: the transaction changes more than one record of the log holds")
	ErrNoKey       = errors.New("storage: no such key")
	ErrDiskFull    = errors.New("storage: the disk is full")
	ErrClosed      = errors.New("storage: the engine is closed")
	ErrDiskFails   = errors.New("storage: the disk cannot be written")
	ErrUnavailable = errors.New("storage: the engine stopped after an I/O error")

	ErrCorruptStore = errors.New("storage: data on disk is damaged")
)
