/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Between the parts of the reader of Keras models:
 *
 *   keras.c          files: .h5, and .keras with what is packed into it
 *   keras_config.c   the architecture, a JSON text: which layers, in which order
 *   keras_layers.c   what each kind of layer does, as steps for network.c
 *   keras_weights.c  where the tensors of a layer are
 *   keras_bare.c     files that hold weights and no architecture
 *   keras_outline.c  what an architecture tells that is not taken
 */
#ifndef MLS_FORMATS_KERAS_H
#define MLS_FORMATS_KERAS_H

#include <jansson.h>

#include "src/formats/graph.h"
#include "src/formats/hdf5.h"

struct mls_outline;

#define MLS_KERAS_MAX_SHARDS 16
#define MLS_KERAS_INSIDE     8 /* models inside each other */
/* How messages call a layer: its name and class. */
#define MLS_KERAS_PLACE "layer %.100s (%.60s)"

/**
 * struct mls_keras_store - where the weights are
 * @by_name: groups are called like layers (model.save("m.h5")), else after the classes
 *           of layers and counted (model.weights.h5)
 * @root:    of them: "model_weights", "layers", ...; "" is the root of the file
 * @n:       files, more than one when the weights are in shards
 */
struct mls_keras_store {
	bool by_name;
	const char *root;
	uint32_t n;
	struct mls_h5 *files[MLS_KERAS_MAX_SHARDS];
};

/**
 * struct mls_keras - a model while it is read
 * @path:  of the architecture, for messages
 * @last:  the steps so far
 * @width: numbers that come out of it; 0 as long as nobody knows
 * @n_dims: in how many dimensions they are arranged
 */
struct mls_keras {
	const char *path;
	struct mls_arena *arena;
	struct mlsched_error *err;
	const struct mls_keras_store *store;
	const struct mls_step *last;
	uint32_t width;
	uint32_t n_dims;
};

/**
 * struct mls_keras_layer - one layer of a model
 * @class_name: as Keras has it: "Dense"
 * @name:   its own
 * @place:  "layer dense_5 (Dense)" for messages
 * @config: its settings
 * @outer:  with groups by name: the layer of the whole model in which it is, itself most often
 * @within: else: the group that its own is in
 * @group:  its class as groups are called: "dense"
 * @index:  how many of its class are in front of it there
 * @count:  how many of its class there are
 */
struct mls_keras_layer {
	const char *class_name;
	const char *name;
	const char *place;
	const json_t *config;
	const char *outer;
	const char *within;
	const char *group;
	uint32_t index;
	uint32_t count;
};

#define mls_keras_bad(k, code, place_, format_, ...)                                         \
	mls_error((k)->err, code, "Invalid %s format: %s: %s: " format_, (k)->arena->format, \
		  (k)->path, place_, ##__VA_ARGS__)

/** mls_keras_read() - a file that is in memory: either format, .h5 or .keras */
int mls_keras_read(const struct mls_blob *file, struct mlsched_error *err,
		   struct mlsched_model **model);

/** mls_keras_arena() - for a file of which that many bytes are in memory already */
struct mls_arena mls_keras_arena(size_t size);

/** mls_keras_walk() - the steps of an architecture, { "class_name": ..., "config": ... } */
int mls_keras_walk(struct mls_keras *k, const json_t *root);

/** mls_keras_bare() - the steps of a file without an architecture */
int mls_keras_bare(struct mls_keras *k);

/** mls_keras_outline_layers() - the layers of an architecture; @by_name: as struct mls_keras_store */
void mls_keras_outline_layers(struct mls_outline *outline, bool by_name, const json_t *root);

static inline const char *mls_keras_text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/** mls_keras_name_of() - of a layer as the architecture has it; NULL: it has none */
const char *mls_keras_name_of(const json_t *layer);

/** mls_keras_count() - how many of the first @n layers of a list have that group */
uint32_t mls_keras_count(const json_t *layers, size_t n, const char *group);

/** mls_keras_group_of() - the group of a class of layers, NULL: a class that we do not know */
const char *mls_keras_group_of(const char *class_name);

/** mls_keras_add_layer() - the steps of one layer */
int mls_keras_add_layer(struct mls_keras *k, const struct mls_keras_layer *layer);

/** mls_keras_add_dense() - a dense layer from its tensors; @bias may be NULL */
int mls_keras_add_dense(struct mls_keras *k, const char *place, const struct mls_h5_tensor *kernel,
			const struct mls_h5_tensor *bias);

/** mls_keras_add_normalization() - (x - mean) / deviation as Keras computes it */
int mls_keras_add_normalization(struct mls_keras *k, const char *place, const float *mean,
				uint32_t n_mean, const float *variance, uint32_t n_variance,
				bool invert);

/** mls_keras_add_activation() - nothing is added for a linear one */
int mls_keras_add_activation(struct mls_keras *k, const char *place,
			     enum mlsched_activation activation, float alpha);

/**
 * mls_keras_tensor() - read one of a layer's tensors
 * @name:  of the variable: "kernel"
 * @index: among the variables of the layer
 *
 * Return: 0; -EINVAL when there is none.
 */
int mls_keras_tensor(struct mls_keras *k, const struct mls_keras_layer *layer, const char *name,
		     uint32_t index, struct mls_h5_tensor *tensor);

/** mls_keras_inside() - the group in which the layers of a model are that is a layer itself */
int mls_keras_inside(struct mls_keras *k, const struct mls_keras_layer *layer, const char **within);

/* A group in a store: its path in one of the files. */
struct mls_keras_member {
	const char *path;
	const char *name; /* the last part */
	uint32_t file;
};

/**
 * mls_keras_members() - the groups below another one, of all shards, each once
 *
 * Windows has written "layers\dense" as one name: they are found as well.
 */
int mls_keras_members(struct mls_keras *k, const char *within, struct mls_keras_member **members,
		      uint32_t *n);

/** mls_keras_number() - of "dense_12" with @group "dense" it is 12, of "dense" 0; -1: another class */
long mls_keras_number(const char *name, const char *group);

/** mls_keras_find() - the tensor that is called @name or @name:0, at any depth below a group */
int mls_keras_find(struct mls_keras *k, const char *group, const char *parent, const char *name,
		   const char **path);

#endif /* MLS_FORMATS_KERAS_H */
