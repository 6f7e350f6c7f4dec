// SPDX-License-Identifier: GPL-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/sim_world.h"

struct sim_world world;

void world_machine(const char *name)
{
	assert_int_equal(sim_machine_parse(&world.machine, name, NULL), 0);
	memset(&world.machine.costs, 0, sizeof(world.machine.costs));
	world.machine.costs.private_kib = world.machine.costs.shared_kib = 1024;
	world.machine.costs.smt_percent = 60;
	memset(&world.workload, 0, sizeof(world.workload));
	world.workload.most_tasks = 64;
}

void world_program(uint32_t n, uint32_t weight, uint64_t run, uint64_t sleep, uint32_t times)
{
	struct sim_instruction *code = &world.workload.code[world.workload.n_code];

	world.workload.programs[n] =
		(struct sim_program){ .name = "test", .code = code, .kib = 64, .weight = weight };
	code[0] = (struct sim_instruction){ .op = SIM_RUN, .mean = run };
	code[1] = (struct sim_instruction){ .op = SIM_SLEEP, .mean = sleep };
	code[2] = (struct sim_instruction){ .op = SIM_LOOP, .to = 0, .count = times };
	code[3] = (struct sim_instruction){ .op = SIM_EXIT };
	world.workload.n_code += 4;
}

void world_tasks(uint16_t of_program, uint32_t n, uint16_t tied)
{
	world.workload.starts[world.workload.n_starts++] =
		(struct sim_start){ .program = of_program, .n = n, .tied = tied };
}
