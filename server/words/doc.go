// Package words splits a line into words with Redis's quoting, and quotes words
// so that they are split again. redis.conf, inline commands and printed
// arguments share it. It knows nothing else.
package words
