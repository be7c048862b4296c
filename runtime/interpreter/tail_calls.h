/* Each instruction of the interpreter as a function that ends by calling the next instruction's function.
 *
 * A function of 20,000 lines has one register allocation, which is good for none of its instructions. As functions each
 * has its own. Values that are always needed stay in registers that no instruction saves (preserve_none), and the call
 * is a jump (musttail). The source stays that of one function: `goto LABEL` calls the label's function.
 *
 * Included by Python/ceval.c, after ceval_macros.h, whose definitions these replace.
 */

/* Clang accepts the attribute for every CPU, and ignores it on CPUs without such calls. There, passing values in memory
   or saving them in each instruction would be slower than the one function. */
#if !defined(USE_TAIL_CALLS) && defined(__has_attribute) && (defined(__x86_64__) || defined(__aarch64__))
#  if __has_attribute(musttail) && __has_attribute(preserve_none)
#    define USE_TAIL_CALLS 1
#  endif
#endif

#if !USE_TAIL_CALLS

#  define LABEL(name) name:

#else

#  define INTERPRETER_STATE \
    _PyInterpreterFrame *frame, PyObject **stack_pointer, PyThreadState *tstate, _Py_CODEUNIT *next_instr, int oparg, \
    uint8_t opcode

typedef __attribute__((preserve_none)) PyObject *instruction(INTERPRETER_STATE);
#  define DEFINE_INSTRUCTION(name) __attribute__((preserve_none)) static PyObject *name(INTERPRETER_STATE)

/* INSTRUCTION(NAME) for each of the 256 opcodes. */
#  define INSTRUCTION(op) static instruction TARGET_##op;
#  include "opcode_names.h"
#  undef INSTRUCTION

#  define INSTRUCTION(op) TARGET_##op,
static instruction *const opcode_targets[256] = {
#  include "opcode_names.h"
};
#  undef INSTRUCTION

static instruction label_start_frame, label_resume_frame, label_pop_4_error, label_pop_3_error, label_pop_2_error,
    label_pop_1_error, label_error, label_exception_unwind, label_exit_unwind, label_resume_with_error;

/* Labels take no argument of the instruction that jumps to them. */
#  define CALL_LABEL(name) label_##name(frame, stack_pointer, tstate, next_instr, 0, 0)
#  define start_frame CALL_LABEL(start_frame)
#  define resume_frame CALL_LABEL(resume_frame)
#  define pop_4_error CALL_LABEL(pop_4_error)
#  define pop_3_error CALL_LABEL(pop_3_error)
#  define pop_2_error CALL_LABEL(pop_2_error)
#  define pop_1_error CALL_LABEL(pop_1_error)
#  define error CALL_LABEL(error)
#  define exception_unwind CALL_LABEL(exception_unwind)
#  define exit_unwind CALL_LABEL(exit_unwind)
#  define resume_with_error CALL_LABEL(resume_with_error)

/* Code before a label continues there. */
#  define LABEL(name) \
    goto name; \
    } \
    DEFINE_INSTRUCTION(label_##name) \
    {

#  undef TARGET
#  define TARGET(op) DEFINE_INSTRUCTION(TARGET_##op)

#  undef DISPATCH_GOTO
#  define DISPATCH_GOTO() goto opcode_targets[opcode](frame, stack_pointer, tstate, next_instr, oparg, opcode)

/* From a specialised instruction to the general one: both have the same number of cache entries. */
#  define CALL_GENERAL(function, op) \
    function(frame, stack_pointer, tstate, next_instr - 1 - _PyOpcode_Caches[op], oparg, opcode)
#  undef PREDICTED
#  define PREDICTED(op)
#  undef GO_TO_INSTRUCTION
#  define GO_TO_INSTRUCTION(op) goto CALL_GENERAL(TARGET_##op, op)
#  undef DEOPT_IF
#  define DEOPT_IF(condition, op) \
    if (condition) { \
        goto CALL_GENERAL(TARGET_##op, op); \
    }

#endif
