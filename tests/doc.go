// Package tests looks at Cobble from outside: at its source as a whole (the tidy test, here), and at its processes
// (the packages below it, which start real servers and speak RESP to them).
//
// It refuses to know: what is inside a package. A test that needs to look inside lives beside the code it tests.
package tests
