// SPDX-License-Identifier: GPL-2.0
/* What an ONNX file tells that is no model of ours: its nodes, then its stored tensors. */
#include <stdio.h>
#include <string.h>

#include "src/formats/lower.h"
#include "src/formats/onnx.h"
#include "src/formats/outline.h"

static void show_input(const Mls__Onnx__ValueInfo *input, struct mls_outline *outline)
{
	const Mls__Onnx__TensorType *type = input->type ? input->type->tensor_type : NULL;
	struct mls_outline_line line = { 0 };
	int64_t dims[MLS_MAX_RANK];
	size_t n;

	if (!type || !type->shape)
		return;
	n = type->shape->n_dim < MLS_MAX_RANK ? type->shape->n_dim : MLS_MAX_RANK;
	for (size_t i = 0; i < n; i++) {
		const Mls__Onnx__Dim *dim = type->shape->dim[i];

		dims[i] = dim->value_case == MLS__ONNX__DIM__VALUE_DIM_VALUE ? dim->dim_value : -1;
	}
	mls_outline_dims(&line, dims, n);
	snprintf(outline->input, sizeof(outline->input), "%.63s", line.text);
}

static void append_names(struct mls_outline_line *line, char *const *names, size_t n)
{
	/* An operator of ours has five inputs at most. */
	for (size_t i = 0; i < n && i < 8; i++)
		mls_outline_append(line, "%s%.40s", i ? ", " : "", names[i]);
}

static void show_node(const Mls__Onnx__Node *node, struct mls_outline *outline)
{
	const char *name = node->name[0] ? node->name : node->n_output ? node->output[0] : "";
	bool own = !node->domain[0] || strcmp(node->domain, "ai.onnx") == 0;
	struct mls_outline_line line = { 0 };
	struct mls_outline_part *part;
	char op[128];

	snprintf(op, sizeof(op), "%.60s%s%.60s", own ? "" : node->domain, own ? "" : ".",
		 node->op_type);
	part = mls_outline_node(outline, &mls_onnx, name, op);
	if (!part)
		return;
	append_names(&line, node->input, node->n_input);
	mls_outline_append(&line, " -> ");
	append_names(&line, node->output, node->n_output);
	part->detail = mls_outline_text(outline, "%s", line.text);
}

static void show_tensor(const Mls__Onnx__Tensor *tensor, struct mls_outline *outline)
{
	struct mls_outline_part *part =
		mls_outline_node(outline, &mls_onnx, tensor->name, MLS_ONNX_INITIALIZER);
	struct mls_outline_line line = { 0 };

	if (!part)
		return;
	mls_outline_append(&line, "%s ", mls_dtype_name(mls_onnx_dtype(tensor->data_type)));
	mls_outline_dims(&line, tensor->dims, tensor->n_dims);
	part->detail = mls_outline_text(outline, "%s", line.text);
}

void mls_onnx_outline(const struct mls_blob *blob, struct mls_outline *outline)
{
	const Mls__Onnx__Model *pb = mls_pb_unpack(&mls__onnx__model__descriptor, &outline->arena,
						   blob->data, blob->size);

	outline->what = "node";
	if (!pb)
		return;
	snprintf(outline->producer, sizeof(outline->producer), "%.30s%s%.30s", pb->producer_name,
		 pb->producer_version[0] ? " " : "", pb->producer_version);
	mls_clean_text(outline->producer);
	if (!pb->graph)
		return;
	/* Before IR version 4 initializers are inputs, too; they stand behind it. */
	if (pb->graph->n_input)
		show_input(pb->graph->input[0], outline);
	for (size_t i = 0; i < pb->graph->n_node; i++)
		show_node(pb->graph->node[i], outline);
	for (size_t i = 0; i < pb->graph->n_initializer; i++)
		show_tensor(pb->graph->initializer[i], outline);
}

void mls_onnx_outline_path(const char *path, struct mls_outline *outline)
{
	mls_lower_outline(path, "ONNX", mls_onnx_outline, outline);
}
