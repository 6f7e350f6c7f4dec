// SPDX-License-Identifier: GPL-2.0
/*
 * The program of hdf5_child/, byte by byte: hdf5_process.c executes it.  The Makefile
 * says where it was linked.
 */
__asm__(".section .rodata\n"
	".balign 16\n"
	".globl mls_h5_program\n"
	".hidden mls_h5_program\n"
	"mls_h5_program:\n"
	".incbin \"" MLS_H5_PROGRAM "\"\n"
	".globl mls_h5_program_end\n"
	".hidden mls_h5_program_end\n"
	"mls_h5_program_end:\n"
	".byte 0\n"
	".previous\n");
