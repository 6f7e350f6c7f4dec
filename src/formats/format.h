/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The table of model formats: one entry says how to recognise, read and write
 * one of them.  A new format is a file of its own and a line in load.c.
 */
#ifndef MLS_FORMATS_FORMAT_H
#define MLS_FORMATS_FORMAT_H

#include <mlsched/model.h>

struct mls_h5_starter;
struct mls_outline;

/* What a reader is chosen by: never the name, always the content. */
struct mls_look {
	const char *path;
	bool is_directory;
	uint8_t head[64]; /* the first bytes of a file */
	size_t n_head;
};

/**
 * struct mls_format - one format of model files
 * @name:    as in --to and in struct mlsched_meta
 * @summary: for people
 * @suffix:  names that end like this are written in this format; "" for all
 *           others (one entry only)
 * @detect:  is it this?
 * @read:    as mlsched_model_load()
 * @read_by: the same, with a process that a starter starts; NULL where none is needed
 * @outline: what a file tells that @read has refused (outline.h); sets its arena
 * @write:   as mlsched_model_save(), or NULL; @form is for those that have several
 */
struct mls_format {
	const char *name;
	const char *summary;
	const char *suffix;
	bool (*detect)(const struct mls_look *look);
	int (*read)(const char *path, struct mlsched_error *err, struct mlsched_model **model);
	int (*read_by)(const char *path, const struct mls_h5_starter *starter,
		       struct mlsched_error *err, struct mlsched_model **model);
	void (*outline)(const char *path, struct mls_outline *outline);
	int (*write)(const struct mlsched_model *model, const char *path,
		     enum mlsched_savedmodel_form form, struct mlsched_error *err);
};

/** mls_format_at() - the index-th format; NULL past the last */
const struct mls_format *mls_format_at(size_t index);

/** mls_format_find() - by name; NULL if there is none */
const struct mls_format *mls_format_find(const char *name);

/** mls_format_for_path() - in which format a file of this name is to be written */
const struct mls_format *mls_format_for_path(const char *path);

/**
 * mls_format_of() - find out by content which format something has
 * @format: receives it, NULL for none that is known
 *
 * Return: 0, or what the system calls return.
 */
int mls_format_of(const char *path, struct mlsched_error *err, const struct mls_format **format);

/**
 * mls_model_load_by() - mlsched_model_load() for who has a starter (hdf5_starter.h)
 * @starter: or NULL
 */
int mls_model_load_by(const char *path, const struct mls_h5_starter *starter,
		      struct mlsched_error *err, struct mlsched_model **model);

/** mls_savedmodel_detect() - any directory: what is missing in it, the reader says */
bool mls_savedmodel_detect(const struct mls_look *look);

/** mls_savedmodel_load() - mlsched_model_load() for SavedModel directories */
int mls_savedmodel_load(const char *path, struct mlsched_error *err, struct mlsched_model **model);

/** mls_h5_format_detect() - HDF5, or called .h5 or .hdf5 */
bool mls_h5_format_detect(const struct mls_look *look);

/** mls_keras_format_detect() - a zip archive, or called .keras */
bool mls_keras_format_detect(const struct mls_look *look);

/** mls_keras_load() - mlsched_model_load() for both of them */
int mls_keras_load(const char *path, struct mlsched_error *err, struct mlsched_model **model);

/** mls_keras_load_by() - the same in processes of @starter; NULL: as mls_keras_load() */
int mls_keras_load_by(const char *path, const struct mls_h5_starter *starter,
		      struct mlsched_error *err, struct mlsched_model **model);

/**
 * mls_keras_ahead() - get all that reading Keras files takes, for who will be able to start no
 * process, nor to load a library
 * @starter: is opened
 *
 * Return: as mls_h5_starter_open().
 */
int mls_keras_ahead(struct mls_h5_starter *starter, struct mlsched_error *err);

/* What each format tells of what is at a path; see struct mls_format. */
void mls_savedmodel_outline_path(const char *path, struct mls_outline *outline);
void mls_keras_outline_path(const char *path, struct mls_outline *outline);
void mls_onnx_outline_path(const char *path, struct mls_outline *outline);
void mls_tflite_outline_path(const char *path, struct mls_outline *outline);

/** mls_h5_save(), mls_keras_save() - write such a file, as struct mls_format has it */
int mls_h5_save(const struct mlsched_model *model, const char *path,
		enum mlsched_savedmodel_form form, struct mlsched_error *err);
int mls_keras_save(const struct mlsched_model *model, const char *path,
		   enum mlsched_savedmodel_form form, struct mlsched_error *err);

/** mls_clean_text() - strings in a file are anybody's: what is no text becomes '?' */
void mls_clean_text(char *text);

#endif /* MLS_FORMATS_FORMAT_H */
