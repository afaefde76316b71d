complete alchemy 'p@1-@`__ALCHEMY__ __complete tcsh`@'; complete alchemy-exec 'p@1-@`__ALCHEMY__ __complete tcsh`@';
