package main

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/rpc"
	"github.com/livekit/psrpc"
	"google.golang.org/protobuf/proto"
)

const (
	forever   = 24 * time.Hour
	lingering = 40 * time.Second // so long the participant of a dead handler stays listed
)

var (
	errNotStreaming = psrpc.NewErrorf(psrpc.InvalidArgument, "UpdateStream called on non-streaming egress")
	errKilled       = errors.New("signal: killed")
)

// order is what a test wants to befall a running job at once.
type order struct{ name, text string }

var orders = map[string]func(*job, string){
	"fail": (*job).fail,
	"die":  (*job).die,
	"drop": func(j *job, _ string) { j.page.leave() },
}

// job is one recording, from the request to its last word.
type job struct {
	id      string
	worker  *worker
	output  *output
	page    *page
	handler rpc.EgressHandlerServer
	orders  chan order
	ended   chan struct{} // closed when somebody or something told it to end

	lock   sync.Mutex
	info   *livekit.EgressInfo
	killed bool // its worker was told to end
}

func newJob(w *worker, req *rpc.StartEgressRequest) (*job, error) {
	info, err := infoOf(req)
	if err != nil {
		return nil, err
	}
	page, err := newPage(w.conf, req)
	if err != nil {
		return nil, err
	}
	return &job{
		id: info.EgressId, worker: w, info: info, page: page,
		output: newOutput(w.conf, req, info),
		orders: make(chan order, 8), ended: make(chan struct{}),
	}, nil
}

// open lets the job be reached by its id, tells of it, and begins it.
func (j *job) open() error {
	if err := j.prepare(); err != nil {
		j.close()
		return err
	}
	go j.run()
	return nil
}

func (j *job) prepare() (err error) {
	if j.handler, err = rpc.NewEgressHandlerServer(j, j.worker.bus); err != nil {
		return err
	}
	if err = j.handler.RegisterStopEgressTopic(j.id); err != nil {
		return err
	}
	if err = j.handler.RegisterUpdateStreamTopic(j.id); err != nil {
		return err
	}
	if err = j.page.note(j.worker.conf.folder, j.told()); err != nil {
		return err
	}
	return j.worker.reporter.create(j.told())
}

// StopEgress ends the job; it answers before the job is over.
func (j *job) StopEgress(context.Context, *livekit.StopEgressRequest) (*livekit.EgressInfo, error) {
	return j.end(livekit.EndReasonAPI), nil
}

// UpdateStream is refused: files are all there is.
func (j *job) UpdateStream(context.Context, *livekit.UpdateStreamRequest) (*livekit.EgressInfo, error) {
	return nil, errNotStreaming
}

// UpdateEgress is never registered: the real worker of this protocol's version does not know it either.
func (j *job) UpdateEgress(context.Context, *livekit.UpdateEgressRequest) (*livekit.EgressInfo, error) {
	return nil, psrpc.ErrUnimplemented
}

// told is the job's state as of now, safe to keep.
func (j *job) told() *livekit.EgressInfo {
	j.lock.Lock()
	defer j.lock.Unlock()
	return proto.Clone(j.info).(*livekit.EgressInfo)
}

// report must be called under the lock: the order of the reports is that of the changes.
func (j *job) report() {
	j.worker.reporter.update(proto.Clone(j.info).(*livekit.EgressInfo))
}

// end is heard once: a job that is STARTING is aborted, one that is ACTIVE is ENDING from now on. It returns
// the state that this made, which may be over a moment later.
func (j *job) end(reason string) *livekit.EgressInfo {
	j.lock.Lock()
	defer j.lock.Unlock()
	select {
	case <-j.ended:
	default:
		close(j.ended)
		j.ending(reason)
	}
	return proto.Clone(j.info).(*livekit.EgressInfo)
}

// ending must be called under the lock.
func (j *job) ending(reason string) {
	j.info.SetEndReason(reason)
	j.killed = reason == livekit.EndReasonKilled
	switch j.info.Status {
	case livekit.EgressStatus_EGRESS_STARTING:
		j.info.SetAborted(livekit.MsgStoppedBeforeStarted)
	case livekit.EgressStatus_EGRESS_ACTIVE:
		j.info.UpdateStatus(livekit.EgressStatus_EGRESS_ENDING)
		j.report()
	}
}

func (j *job) run() {
	defer j.close()
	set := j.worker.set.get()
	if why := j.enter(set.failStart); why != "" {
		j.fail(why)
		return
	}
	if j.over(set.lateActive, j.ended) {
		return
	}
	j.begin()
	if !j.over(cmp.Or(set.failAfter, forever), j.ended) {
		j.fail("pipeline frozen")
	}
}

// enter joins the room; otherwise it says why not.
func (j *job) enter(why string) string {
	if why != "" {
		return why
	}
	if err := j.page.join(func() { j.end(livekit.EndReasonSrcClosed) }); err != nil {
		slog.Info("cannot join", "egress", j.id)
		return "template error: could not connect to the room"
	}
	return ""
}

// over waits, and is true when the job came to its end meanwhile.
func (j *job) over(wait time.Duration, ended <-chan struct{}) bool {
	select {
	case told := <-j.orders:
		orders[told.name](j, told.text)
	case <-ended:
		j.finish(j.worker.set.get())
	case <-time.After(wait):
		return false
	}
	return true
}

// begin makes the job ACTIVE, unless it was told to end in the last moment.
func (j *job) begin() {
	j.lock.Lock()
	defer j.lock.Unlock()
	if j.info.Status != livekit.EgressStatus_EGRESS_STARTING {
		return
	}
	if err := j.output.begin(); err != nil {
		slog.Error("cannot write", "egress", j.id, "error", err.Error())
	}
	j.info.UpdateStatus(livekit.EgressStatus_EGRESS_ACTIVE)
	j.report()
}

// finish takes a job that was told to end to its last state.
func (j *job) finish(set settings) {
	wait := set.slowStop
	if set.ignoreStop {
		wait = forever
	}
	ending := j.told().Status == livekit.EgressStatus_EGRESS_ENDING
	if ending && j.over(wait, nil) {
		return
	}
	j.page.leave()
	j.lock.Lock()
	defer j.lock.Unlock()
	if ending {
		j.conclude(j.output.finish(set.refuse))
	}
	j.report()
}

// conclude calls a job failed whose worker was told to end, as the real one does, though its file is complete.
func (j *job) conclude(err error) {
	switch {
	case j.killed:
		j.info.SetFailed(errShuttingDown)
	case err != nil:
		j.info.SetFailed(err)
	default:
		j.info.SetComplete()
	}
}

func (j *job) fail(text string) {
	j.page.leave()
	j.lock.Lock()
	defer j.lock.Unlock()
	j.output.stop()
	j.info.SetFailed(psrpc.NewErrorf(psrpc.InvalidArgument, "%s", text))
	j.report()
}

// die is a handler process that was killed: the worker tells, and nobody left the room.
func (j *job) die(string) {
	time.AfterFunc(lingering, j.page.leave)
	j.lock.Lock()
	defer j.lock.Unlock()
	j.info.SetFailed(errKilled)
	j.info.ErrorCode = http.StatusInternalServerError
	j.report()
}

func (j *job) close() {
	if j.handler != nil {
		j.handler.Kill()
	}
	j.worker.release(j)
}
