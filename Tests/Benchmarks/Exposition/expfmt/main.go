// Parses one file over and over with prometheus/common, one fresh parser a body, as the Pushgateway
// does.
//
//	expfmt FILE SECONDS
//
// Prints MB/s and the peak of resident memory in kB. Ends with 1 if the body is refused.
package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/prometheus/common/expfmt"
)

func main() {
	body, err := os.ReadFile(os.Args[1])
	must(err)
	seconds, err := strconv.ParseFloat(os.Args[2], 64)
	must(err)
	parse(body)

	start := time.Now()
	runs := 0
	for runs == 0 || time.Since(start).Seconds() < seconds {
		parse(body)
		runs++
	}
	rate := float64(runs) * float64(len(body)) / time.Since(start).Seconds() / 1e6
	var usage syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	fmt.Println(rate, usage.Maxrss)
}

func parse(body []byte) {
	var parser expfmt.TextParser
	families, err := parser.TextToMetricFamilies(bytes.NewReader(body))
	must(err)
	if len(families) == 0 {
		must(fmt.Errorf("no samples"))
	}
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
