// SPDX-License-Identifier: GPL-2.0
/*
 * How a program asks libmlsched for decisions.
 *
 *	decide MODEL < situations
 *
 * Each line of standard input is one situation: the CPU that the task would
 * leave, how many CPUs are idle and how many busy, and the load of the domain
 * that it would leave and of the one that it would go to.
 */
#include <stdio.h>

#include <mlsched/mlsched.h>

int main(int argc, char **argv)
{
	struct mlsched_request request = { .size = sizeof(request) };
	struct mlsched_verdict verdict;
	struct mlsched_model *model;
	struct mlsched_error err;
	int status = 0;

	if (argc != 2) {
		fprintf(stderr, "usage: decide MODEL < situations\n");
		return 2;
	}
	if (mlsched_model_load(argv[1], &err, &model) != 0) {
		fprintf(stderr, "decide: %s\n", err.message);
		return 1;
	}
	while (scanf("%u %u %u %f %f", &request.cpu, &request.cpu_idle, &request.cpu_not_idle,
		     &request.src_dom_load, &request.dst_dom_load) == 5) {
		if (mlsched_decide(model, &request, 1, &verdict, &err) != 0) {
			fprintf(stderr, "decide: %s\n", err.message);
			status = 1;
			break;
		}
		printf("%-7s  logit %+.6f  probability %.6f\n",
		       verdict.migrate ? "migrate" : "keep", (double)verdict.logit,
		       (double)verdict.probability);
	}
	mlsched_model_free(model);
	return status;
}
