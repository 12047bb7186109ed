package main

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/rpc"
	"github.com/livekit/psrpc"
)

var (
	errShuttingDown  = psrpc.NewErrorf(psrpc.Unavailable, "server is shutting down")
	errAlreadyExists = psrpc.NewErrorf(psrpc.AlreadyExists, "egress already exists")
	errFull          = psrpc.NewErrorf(psrpc.Unavailable, "not enough CPU")
)

// worker takes jobs over the bus and keeps them until they end.
type worker struct {
	conf     config
	set      *switches
	bus      psrpc.MessageBus
	server   rpc.EgressInternalServer
	reporter *reporter

	lock    sync.Mutex
	jobs    map[string]*job
	closed  bool
	running sync.WaitGroup
}

func newWorker(conf config, set *switches, bus psrpc.MessageBus) (*worker, error) {
	reporter, err := newReporter(bus)
	if err != nil {
		return nil, err
	}
	w := &worker{conf: conf, set: set, bus: bus, reporter: reporter, jobs: map[string]*job{}}
	if w.server, err = rpc.NewEgressInternalServer(w, bus); err != nil {
		return nil, err
	}
	if err := w.server.RegisterListActiveEgressTopic(""); err != nil {
		return nil, err
	}
	return w, w.server.RegisterStartEgressTopic("")
}

// StartEgressAffinity is the worker's bid for a job: -1 for none.
func (w *worker) StartEgressAffinity(context.Context, *rpc.StartEgressRequest) float32 {
	w.lock.Lock()
	defer w.lock.Unlock()
	switch {
	case w.closed || !w.reporter.healthy.Load() || w.full():
		return -1
	case len(w.jobs) == 0:
		return 0.5 // the real one leaves single tracks to a worker that is busy already
	}
	return 1
}

func (w *worker) full() bool {
	most := w.set.get().maxJobs
	return most > 0 && len(w.jobs) >= most
}

// StartEgress begins a job. As with the real worker, a caller that gave up meanwhile changes nothing.
func (w *worker) StartEgress(_ context.Context, req *rpc.StartEgressRequest) (*livekit.EgressInfo, error) {
	set := w.set.get()
	j, err := w.take(req)
	if err == nil {
		err = j.open()
	}
	if set.loseReply {
		select {}
	}
	time.Sleep(set.slowStart)
	if err != nil {
		return nil, err
	}
	return j.told(), nil
}

func (w *worker) take(req *rpc.StartEgressRequest) (*job, error) {
	j, err := newJob(w, req)
	if err != nil {
		return nil, err
	}
	w.lock.Lock()
	defer w.lock.Unlock()
	switch {
	case w.closed || !w.reporter.healthy.Load():
		return nil, errShuttingDown
	case w.jobs[j.id] != nil:
		return nil, errAlreadyExists
	case w.full():
		return nil, errFull
	}
	w.jobs[j.id] = j
	w.running.Add(1)
	return j, nil
}

// release forgets a job that has ended.
func (w *worker) release(j *job) {
	w.lock.Lock()
	defer w.lock.Unlock()
	delete(w.jobs, j.id)
	w.running.Done()
}

// ListActiveEgress names the jobs that run here.
func (w *worker) ListActiveEgress(
	context.Context, *rpc.ListActiveEgressRequest,
) (*rpc.ListActiveEgressResponse, error) {
	ids := []string{}
	w.each("", func(j *job) { ids = append(ids, j.id) })
	return &rpc.ListActiveEgressResponse{EgressIds: ids}, nil
}

// each calls back for the job of that id, or for all where it is empty.
func (w *worker) each(id string, call func(*job)) {
	w.lock.Lock()
	defer w.lock.Unlock()
	for _, j := range w.jobs {
		if id == "" || id == j.id {
			call(j)
		}
	}
}

// runningJob is how /jobs shows a job.
type runningJob struct {
	EgressID string `json:"egress_id"`
	RoomName string `json:"room_name"`
	Status   string `json:"status"`
}

func (w *worker) list() []runningJob {
	shown := []runningJob{}
	w.each("", func(j *job) {
		info := j.told()
		shown = append(shown, runningJob{j.id, info.RoomName, info.Status.String()})
	})
	return shown
}

// close takes no more jobs.
func (w *worker) close() {
	w.lock.Lock()
	defer w.lock.Unlock()
	w.closed = true
	w.server.DeregisterStartEgressTopic("")
}

// drain waits for the jobs to end and for their last word to be told.
func (w *worker) drain() {
	w.running.Wait()
	w.reporter.pending.Wait()
	w.server.Kill()
	slog.Info("drained")
}
