"""Sixty everyday words in Chinese and English: which cost finds the translation?

Our own list, CC0.
"""

WORDS = (
    ("狗", "dog"), ("猫", "cat"), ("鱼", "fish"), ("鸟", "bird"), ("马", "horse"), ("牛", "cow"),
    ("水", "water"), ("火", "fire"), ("土地", "land"), ("空气", "air"), ("树", "tree"),
    ("花", "flower"), ("山", "mountain"), ("河", "river"), ("海", "sea"), ("雨", "rain"),
    ("雪", "snow"), ("风", "wind"), ("太阳", "sun"), ("月亮", "moon"), ("星", "star"),
    ("红", "red"), ("黑", "black"), ("白", "white"), ("绿", "green"), ("蓝", "blue"),
    ("吃", "eat"), ("喝", "drink"), ("睡", "sleep"), ("走", "walk"), ("跑", "run"),
    ("看", "see"), ("听", "listen"), ("说", "say"), ("写", "write"), ("买", "buy"),
    ("卖", "sell"), ("父亲", "father"), ("母亲", "mother"), ("孩子", "child"), ("朋友", "friend"),
    ("老师", "teacher"), ("学生", "student"), ("医生", "doctor"), ("书", "book"),
    ("桌子", "table"), ("门", "door"), ("房子", "house"), ("城市", "city"), ("国家", "country"),
    ("战争", "war"), ("和平", "peace"), ("音乐", "music"), ("电影", "film"), ("一", "one"),
    ("二", "two"), ("三", "three"), ("大", "big"), ("小", "small"), ("新", "new"),
)  # fmt: skip
