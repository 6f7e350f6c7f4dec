// SPDX-License-Identifier: GPL-2.0
/*
 * A model prepared by a thread.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <mlsched/mlsched.h>

#include "src/formats/format.h"
#include "src/formats/hdf5_starter.h"
#include "src/host/prepare.h"
#include "src/host/requests.h"
#include "src/host/scx.h"
#include "src/host/sent.h"
#include "src/host/shadow.h"
#include "src/nn/qnet.h"
#include "src/nn/qnet_pack.h"
#include "src/util/error.h"

/**
 * struct mls_prepare - one model; freed by whoever of the two is done with it last
 * @sent:  the model's file until it is read, or -1
 * @fd:    readable when the thread is done
 * @users: the thread and its caller
 */
struct mls_prepare {
	char *path;
	int sent;
	bool has_starter;
	struct mls_h5_starter starter;
	double threshold;
	struct mls_topology topology;
	const char *engine;
	const char *library;
	int fd;
	int users;
	int ret;
	struct mlsched_error err;
	struct mls_prepared prepared;
};

bool mls_model_is_mig15(const struct mlsched_model *model)
{
	return strcmp(mlsched_model_meta(model)->schema, "mig15") == 0;
}

int mls_model_with_threshold(struct mlsched_model **model, double threshold,
			     struct mlsched_error *err)
{
	struct mlsched_meta meta = *mlsched_model_meta(*model);
	struct mlsched_model *changed;
	int ret;

	meta.threshold = (float)threshold;
	ret = mlsched_model_with_meta(*model, &meta, err, &changed);
	if (ret)
		return ret;
	mlsched_model_free(*model);
	*model = changed;
	return 0;
}

static int prepare_slot(struct mls_prepare *p, const struct mlsched_model *model)
{
	struct mlsched_qmodel *fixed = NULL;
	int ret = mls_shadow_quantize(model, &p->topology, &p->prepared.report, &p->err, &fixed);

	if (!ret) {
		p->prepared.slot = calloc(1, mls_qnet_slot_size(MLS_SCX_SLOT_WIDTH));
		ret = p->prepared.slot ?
			      mls_qnet_pack(mls_qmodel_net(fixed), MLS_SCX_SLOT_WIDTH, false,
					    p->prepared.slot, &p->err) :
			      mls_error(&p->err, -ENOMEM, "no memory for the network's slot");
	}
	if (!ret)
		p->prepared.checksum = mlsched_qmodel_checksum(fixed);
	mlsched_qmodel_free(fixed);
	return ret;
}

/* On success the model is the engine's. */
static int prepare_engine(struct mls_prepare *p, struct mlsched_model *model)
{
	struct mls_engine *engine;
	int ret = mls_engine_open(p->engine, model, p->path, p->library, &p->err, &engine);

	if (ret)
		return ret;
	ret = mls_requests_fit(engine, &p->err);
	if (ret) {
		mls_engine_close(engine);
		return ret;
	}
	engine->owned = model;
	p->prepared.engine = engine;
	p->prepared.checksum = mlsched_model_checksum(model);
	return 0;
}

static int load(struct mls_prepare *p, struct mlsched_model **model)
{
	int sent = p->sent;

	p->sent = -1;
	if (sent >= 0)
		return mls_sent_read(sent, p->path, &p->err, model);
	return mls_model_load_by(p->path, p->has_starter ? &p->starter : NULL, &p->err, model);
}

static int prepare(struct mls_prepare *p)
{
	struct mlsched_model *model = NULL;
	int ret = load(p, &model);

	if (!ret && p->threshold > 0)
		ret = mls_model_with_threshold(&model, p->threshold, &p->err);
	/* Says what is wrong with its shape before anything else does. */
	if (!ret && (ret = mlsched_model_fits_scheduler(model, &p->err)) != 0)
		mls_error_prefix(&p->err, ret, "%s", p->path);
	if (!ret)
		ret = mls_tuning_of(model, &p->prepared.tuning, &p->err);
	if (!ret)
		p->prepared.source = mlsched_model_checksum(model);
	if (!ret)
		ret = p->engine ? prepare_engine(p, model) : prepare_slot(p, model);
	if (!p->prepared.engine)
		mlsched_model_free(model);
	return ret;
}

static void leave(struct mls_prepare *p)
{
	if (__atomic_sub_fetch(&p->users, 1, __ATOMIC_ACQ_REL))
		return;
	if (p->fd >= 0)
		close(p->fd);
	if (p->sent >= 0)
		close(p->sent);
	free(p->prepared.slot);
	mls_engine_close(p->prepared.engine);
	free(p->path);
	free(p);
}

static void *run(void *context)
{
	struct mls_prepare *p = context;

	p->ret = prepare(p);
	/* A write to an eventfd is a barrier for whoever reads it. */
	eventfd_write(p->fd, 1);
	leave(p);
	return NULL;
}

/* Signals are the loop's; they must not interrupt the thread instead. */
static int start_thread(struct mls_prepare *p)
{
	sigset_t all, old;
	pthread_attr_t attributes;
	pthread_t thread;
	int ret = pthread_attr_init(&attributes);

	if (ret)
		return -ret;
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = pthread_create(&thread, &attributes, run, p);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attributes);
	return -ret;
}

int mls_prepare_start(const struct mls_prepare_options *options, struct mlsched_error *err,
		      struct mls_prepare **prepare_out)
{
	struct mls_prepare *p = calloc(1, sizeof(*p));
	int ret;

	if (!p) {
		if (options->sent >= 0)
			close(options->sent);
		return mls_error(err, -ENOMEM, "no memory to prepare a model");
	}
	p->sent = options->sent;
	p->users = 2;
	p->has_starter = options->starter != NULL;
	if (options->starter)
		p->starter = *options->starter;
	p->threshold = options->threshold;
	p->topology = *options->topology;
	p->engine = options->engine;
	p->library = options->library;
	p->path = strdup(options->path);
	p->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ret = !p->path ? -ENOMEM : p->fd < 0 ? -errno : start_thread(p);
	if (ret) {
		p->users = 1;
		leave(p);
		return mls_error(err, ret, "no thread to read the model: %s", strerror(-ret));
	}
	*prepare_out = p;
	return 0;
}

int mls_prepare_fd(const struct mls_prepare *p)
{
	return p->fd;
}

int mls_prepare_end(struct mls_prepare *p, struct mls_prepared *prepared, struct mlsched_error *err)
{
	eventfd_t done;
	int ret;

	if (eventfd_read(p->fd, &done) != 0)
		return mls_error(err, -EINPROGRESS, "%s is still being read", p->path);
	ret = p->ret ? mls_error(err, p->ret, "%s", p->err.message) : 0;
	if (!ret) {
		*prepared = p->prepared;
		p->prepared.slot = NULL;
		p->prepared.engine = NULL;
	}
	leave(p);
	return ret;
}

void mls_prepare_cancel(struct mls_prepare *p)
{
	if (p)
		leave(p);
}
