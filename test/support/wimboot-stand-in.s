# What a BIOS loader starts in wimboot's place: a Linux kernel image (boot protocol 2.03,
# Documentation/arch/x86/boot.rst) whose whole work is to say which files it was handed. A loader puts them behind each
# other in high memory, each behind a cpio header ("newc"), which is where wimboot reads them. One line a file: its name,
# and its size as the header says it, eight hexadecimal digits.
        .code16
        .globl  _start
_start:
        .org    0x1f1
        .byte   3                       # sectors of this code behind the first
        .org    0x1fe
        .word   0xaa55
        .org    0x200
        jmp     begin
        .org    0x202
        .ascii  "HdrS"
        .word   0x0203
        .org    0x211
        .byte   1                       # the part that is not real-mode code goes to 1 MiB
        .org    0x214
        .long   0x100000
ramdisk_image:
        .org    0x218
        .long   0
ramdisk_size:
        .org    0x21c
        .long   0
        .org    0x22c
        .long   0x37ffffff              # the highest address for the files

# The loader jumps to 0x200 with the data segments at 0 of this file.
begin:
        cld
        movw    %ds, %ax
        movw    %ax, %es
        movzwl  %ax, %eax
        shll    $4, %eax
        addl    $header, %eax           # linear address of our copy of a header
        movl    %eax, copy_to
        movb    $0x93, copy_to + 3      # data, writable
        movl    0x218, %esi
        movl    0x21c, %edi
        addl    %esi, %edi
next:
        cmpl    %edi, %esi
        jae     done
        movl    %esi, %eax
        movl    %eax, copy_from
        movb    $0x93, copy_from + 3
        shrl    $24, %eax
        movb    %al, copy_from + 5
        pushl   %esi
        pushl   %edi
        movw    $descriptors, %si
        movw    $128, %cx               # words
        movb    $0x87, %ah              # INT 15h: copy a block of extended memory
        int     $0x15
        popl    %edi
        popl    %esi
        cmpl    $0x37303730, header     # "0707"
        jne     padding
        cmpw    $0x3130, header + 4     # "01"
        jne     padding
        movw    $before, %bx
        call    print
        movw    $header + 110, %bx
        call    print
        movw    $between, %bx
        call    print
        movw    $header + 54, %bx
        call    number
        movl    %eax, %edx
        movb    $0, header + 62
        movw    $header + 54, %bx
        call    print
        movw    $behind, %bx
        call    print
        movw    $header + 94, %bx
        call    number
        addl    $110 + 3, %eax          # header and name fill up whole words of four bytes, so does the file
        andl    $-4, %eax
        addl    %eax, %esi
        addl    $3, %edx
        andl    $-4, %edx
        addl    %edx, %esi
        jmp     next
padding:
        addl    $4, %esi
        jmp     next
done:
        movw    $end, %bx
        call    print
halt:
        hlt
        jmp     halt

# Text at BX up to its zero, through the BIOS.
print:
        pushal
        movw    %bx, %si
1:      lodsb
        testb   %al, %al
        jz      2f
        movb    $0x0e, %ah
        movw    $7, %bx
        int     $0x10
        jmp     1b
2:      popal
        ret

# EAX: the number of the eight hexadecimal digits at BX.
number:
        pushl   %edx
        xorl    %eax, %eax
        movw    $8, %cx
1:      movb    (%bx), %dl
        incw    %bx
        subb    $'0', %dl
        cmpb    $9, %dl
        jbe     2f
        andb    $0xdf, %dl
        subb    $'A' - '0' - 10, %dl
2:      shll    $4, %eax
        orb     %dl, %al
        loop    1b
        popl    %edx
        ret

before: .asciz  "stand-in got "
between:.asciz  " size "
behind: .asciz  " \r\n"
end:    .asciz  "stand-in has no more files \r\n"

        .balign 8
# Descriptor table of INT 15h, AH=87h: two empty ones, source, target, two that the BIOS fills in.
descriptors:
        .quad   0, 0
        .word   0xffff
copy_from:
        .word   0, 0, 0                 # address: three bytes; rights; zero; fourth byte of the address
        .word   0xffff
copy_to:
        .word   0, 0, 0
        .quad   0, 0
header: .skip   256
        .org    0x800
        .skip   512
