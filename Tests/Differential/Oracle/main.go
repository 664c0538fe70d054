// Says of each body what Debian's prometheus/common makes of it, and then what the Pushgateway's
// consistency check, which is client_golang's, makes of that.
//
//	oracle [-group NAME=VALUE]... [-own NAME,TYPE,HELP]...
//
// Batches come in and go out. All numbers have four bytes, the lowest first.
//
//	in:  how many bodies, then for each its length and its bytes
//	out: for each the line of the parser's error (0: none), the offset of the last byte that it had
//	     read, its error as length and bytes; families, metrics (all ones where a summary or
//	     histogram joins lines); the error of the check as length and bytes
package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

const notCounted = ^uint32(0)

func main() {
	var pushgateway pushgateway
	for i := 1; i+1 < len(os.Args); i += 2 {
		switch os.Args[i] {
		case "-group":
			label := strings.SplitN(os.Args[i+1], "=", 2)
			pushgateway.group = append(pushgateway.group, pair(label[0], label[1]))
		case "-own":
			own := strings.SplitN(os.Args[i+1], ",", 3)
			pushgateway.own = append(pushgateway.own, ownFamily(own[0], own[1], own[2]))
		}
	}
	in := bufio.NewReaderSize(os.Stdin, 1<<16)
	out := bufio.NewWriterSize(os.Stdout, 1<<16)
	for {
		bodies, err := readBatch(in)
		if err == io.EOF {
			return
		}
		must(err)
		// The whole batch has been read, so whoever sent it now listens.
		for _, body := range bodies {
			pushgateway.judge(body, out)
		}
		must(out.Flush())
	}
}

func readBatch(in io.Reader) ([][]byte, error) {
	count, err := readNumber(in)
	if err != nil {
		return nil, err
	}
	bodies := make([][]byte, count)
	for i := range bodies {
		length, err := readNumber(in)
		if err != nil {
			return nil, io.ErrUnexpectedEOF
		}
		bodies[i] = make([]byte, length)
		if _, err := io.ReadFull(in, bodies[i]); err != nil {
			return nil, io.ErrUnexpectedEOF
		}
	}
	return bodies, nil
}

// What the check knows besides the body.
type pushgateway struct {
	group []*dto.LabelPair
	own   []*dto.MetricFamily
}

var linePattern = regexp.MustCompile(`(?s)^text format parsing error in line (\d+): (.*)$`)

func (p *pushgateway) judge(body []byte, out io.Writer) {
	var parser expfmt.TextParser
	families, err := parser.TextToMetricFamilies(bytes.NewReader(body))
	if err != nil {
		match := linePattern.FindStringSubmatch(err.Error())
		line, _ := strconv.Atoi(match[1])
		writeNumber(out, uint32(line))
		writeNumber(out, uint32(lastRead(body)))
		writeText(out, match[2])
		writeNumber(out, 0)
		writeNumber(out, 0)
		writeText(out, "")
		return
	}
	writeNumber(out, 0)
	writeNumber(out, 0)
	writeText(out, "")
	writeNumber(out, uint32(len(families)))
	writeNumber(out, metricsOf(families))
	if err := p.check(families); err != nil {
		writeText(out, err.Error())
	} else {
		writeText(out, "")
	}
}

// Parses again, byte by byte, to learn how far the parser had to read.
func lastRead(body []byte) int {
	reader := &byteReader{body: body}
	var parser expfmt.TextParser
	_, _ = parser.TextToMetricFamilies(reader)
	if reader.next == 0 {
		return 0
	}
	return reader.next - 1
}

type byteReader struct {
	body []byte
	next int
}

func (r *byteReader) Read(into []byte) (int, error) {
	if r.next == len(r.body) {
		return 0, io.EOF
	}
	into[0] = r.body[r.next]
	r.next++
	return 1, nil
}

func metricsOf(families map[string]*dto.MetricFamily) uint32 {
	count := 0
	for _, family := range families {
		switch family.GetType() {
		case dto.MetricType_SUMMARY, dto.MetricType_HISTOGRAM:
			return notCounted
		}
		count += len(family.Metric)
	}
	return uint32(count)
}

var errTimestamp = errors.New("pushed metrics must not have timestamps")

// Does to the families what the Pushgateway does before it stores them, and gathers them beside its
// own.
func (p *pushgateway) check(families map[string]*dto.MetricFamily) error {
	for _, family := range families {
		for _, metric := range family.Metric {
			if metric.TimestampMs != nil {
				return errTimestamp
			}
			metric.Label = p.labelled(metric.Label)
		}
	}
	var pushed []*dto.MetricFamily
	for _, own := range p.own {
		if family := families[own.GetName()]; family != nil && own.GetHelp() == "" {
			// The HELP of these is replaced.
			family.Help = own.Help
		}
	}
	for _, family := range families {
		pushed = append(pushed, family)
	}
	_, err := prometheus.Gatherers{gatherer(p.own), gatherer(pushed)}.Gather()
	return err
}

func gatherer(families []*dto.MetricFamily) prometheus.Gatherer {
	return prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return families, nil })
}

// The labels as the group changes them; a sample without an instance gets an empty one.
func (p *pushgateway) labelled(labels []*dto.LabelPair) []*dto.LabelPair {
	kept := make([]*dto.LabelPair, 0, len(labels)+len(p.group)+1)
	hasInstance := false
	for _, label := range labels {
		if find(p.group, label.GetName()) == nil {
			kept = append(kept, label)
			hasInstance = hasInstance || label.GetName() == "instance"
		}
	}
	kept = append(kept, p.group...)
	if !hasInstance && find(p.group, "instance") == nil {
		kept = append(kept, pair("instance", ""))
	}
	return kept
}

func find(labels []*dto.LabelPair, name string) *dto.LabelPair {
	for _, label := range labels {
		if label.GetName() == name {
			return label
		}
	}
	return nil
}

func pair(name, value string) *dto.LabelPair {
	return &dto.LabelPair{Name: &name, Value: &value}
}

func ownFamily(name, typeName, help string) *dto.MetricFamily {
	metric := &dto.Metric{}
	value, count := 0.0, uint64(0)
	kind := dto.MetricType(dto.MetricType_value[strings.ToUpper(typeName)])
	switch kind {
	case dto.MetricType_COUNTER:
		metric.Counter = &dto.Counter{Value: &value}
	case dto.MetricType_GAUGE:
		metric.Gauge = &dto.Gauge{Value: &value}
	case dto.MetricType_SUMMARY:
		metric.Summary = &dto.Summary{SampleCount: &count, SampleSum: &value}
	}
	return &dto.MetricFamily{Name: &name, Help: &help, Type: &kind, Metric: []*dto.Metric{metric}}
}

func readNumber(in io.Reader) (uint32, error) {
	var bytes [4]byte
	_, err := io.ReadFull(in, bytes[:])
	return binary.LittleEndian.Uint32(bytes[:]), err
}

func writeNumber(out io.Writer, number uint32) {
	var bytes [4]byte
	binary.LittleEndian.PutUint32(bytes[:], number)
	_, err := out.Write(bytes[:])
	must(err)
}

func writeText(out io.Writer, text string) {
	writeNumber(out, uint32(len(text)))
	_, err := io.WriteString(out, text)
	must(err)
}

func must(err error) {
	if err != nil {
		_, _ = os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
}
